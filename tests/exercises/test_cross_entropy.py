"""The compared forms of the cross-entropy are equal, and use the memory that the page states."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its own documentation's name

from exercises.cross_entropy_forms import (
    by_index,
    by_sum,
    by_xlogy,
    clamped,
    gradient_by_index,
    gradient_by_sum,
    inputs,
)
from exercises.cross_entropy_memory import peak


def test_all_forms_equal_torch() -> None:
    logits, labels = inputs("gradient_sum", 64, 7, "cpu")
    expected = F.cross_entropy(logits, labels)
    probabilities = torch.softmax(logits, dim=1)
    for form in (by_sum, by_xlogy, by_index, clamped):
        torch.testing.assert_close(form(probabilities, labels), expected)
    for loss, gradient in (gradient_by_sum(logits, labels), gradient_by_index(logits, labels)):
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(gradient, (probabilities - F.one_hot(labels, 7)) / 64)


@pytest.mark.slow
def test_sum_allocates_tables_and_index_allocates_none() -> None:
    table = 4 * 1024 * 4000
    by_form = {form: peak(form, 1024, 4000) for form in ("sum", "index")}
    if None in by_form.values():
        pytest.skip("this system does not say what a process takes at its peak")
    assert by_form["sum"] is not None
    assert by_form["index"] is not None
    assert by_form["sum"] > 2 * table
    assert by_form["index"] < table / 4
