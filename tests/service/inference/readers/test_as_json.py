"""Inputs as JSON: a reader restores them, whatever a table calls its categories."""

from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from service.contract.inputs import Column, FeaturesInput, ImageInput, Kind, TokensInput
from service.inference.readers.as_json import inputs_as_json
from service.inference.readers.reader import reader_for
from service.settings import Settings


def _table(missing: Literal["refuse", "mean"]) -> FeaturesInput:
    columns = [Column(name="x"), Column(name="kind", categories=["", "b", " "])]
    return FeaturesInput(width=2, columns=columns, missing=missing)


CASES: dict[str, tuple[Kind, NDArray[Any]]] = {
    "grey": (ImageInput(height=2, width=3), np.arange(12, dtype=np.uint8).reshape(2, 2, 3)),
    "colour": (ImageInput(height=1, width=2, channels=3), np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3)),
    "embedding": (FeaturesInput(width=3), np.array([[0.1, -1e30, 3]], np.float32)),
    "embedding with gaps": (FeaturesInput(width=2, missing="mean"), np.array([[np.nan, 1]], np.float32)),
    "table": (_table("refuse"), np.array([[0.1, 0], [2, 1], [3, 2], [4, -1]], np.float32)),
    "table with gaps": (_table("mean"), np.array([[np.nan, 1], [2, -1]], np.float32)),
    "tokens": (TokensInput(context=2, vocabulary=["?", "a"], unknown=0), np.array([[0, 1], [1, 1]])),
}


@pytest.mark.parametrize(("kind", "inputs"), CASES.values(), ids=CASES)
def test_reader_restores_the_inputs(kind: Kind, inputs: NDArray[Any]) -> None:
    restored = reader_for(kind, Settings().read_limits).from_json(inputs_as_json(kind, inputs))
    np.testing.assert_array_equal(restored, inputs)
    assert restored.dtype == inputs.dtype


def test_unknown_category_is_not_a_category() -> None:
    assert inputs_as_json(_table("refuse"), np.array([[1, -1]], np.float32)) == [{"x": 1.0, "kind": "  "}]
