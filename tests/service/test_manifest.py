"""The contract: what a manifest may say, and what it may not."""

import base64
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from service.manifest import Manifest
from tests import tiny


def test_manifest_round_trips_through_json() -> None:
    manifest = tiny.manifest()
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_golden_arrays_are_the_inputs_and_probabilities() -> None:
    manifest = tiny.manifest()
    inputs, expected = manifest.golden.arrays(manifest.input)
    np.testing.assert_array_equal(inputs, tiny.IMAGES)
    assert inputs.dtype == np.uint8
    np.testing.assert_array_equal(expected, np.array(tiny.PROBABILITIES, np.float32))


def test_card_is_everything_but_the_golden_vectors() -> None:
    manifest = tiny.manifest()
    card = manifest.card()
    assert set(card) == set(Manifest.model_fields) - {"golden"}
    assert card["labels"] == tiny.LABELS


WRONG: dict[str, tuple[str, object, str]] = {
    "unknown field": ("speed", 1, "Extra inputs are not permitted"),
    "schema": ("schema_version", 2, "Input should be 1"),
    "empty name": ("name", "", "at least 1 character"),
    "one label": ("labels", ["a"], "at least 2 items"),
    "labels alike": ("labels", ["a", "b", "a"], "labels must differ from one another"),
    "labels and golden probabilities": ("labels", ["a", "b"], r"golden probabilities are \[3\] wide for 2 labels"),
    "temperature": ("temperature", 0, "greater than 0"),
    "temperature that is no number": ("temperature", float("nan"), "finite number"),
    "policy": ("default_policy", {"kind": "guess"}, "does not match any of the expected tags"),
    "policy's threshold": ("default_policy", {"kind": "threshold", "threshold": 2}, "less than or equal to 1"),
    "input kind": ("input", {"kind": "sound"}, "Input should be 'image'"),
}


@pytest.mark.parametrize(("field", "value", "message"), WRONG.values(), ids=WRONG)
def test_manifest_that_breaks_a_rule(field: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate({**tiny.manifest().model_dump(), field: value})


WRONG_GOLDEN: dict[str, tuple[dict[str, Any], str]] = {
    "not base64": ({"inputs": "@@"}, "golden inputs are not base64"),
    "a byte short": (
        {"inputs": base64.b64encode(bytes(7)).decode()},
        r"hold 7 bytes, which is not \(4, 1, 2\) of uint8",
    ),
    "none": ({"inputs": "", "probabilities": []}, "at least 1 item"),
    "tolerance": ({"tolerance": 0.1}, "less than or equal to 0.001"),
    "ragged": ({"probabilities": [[0.5, 0.5], [1.0], [1.0], [1.0]]}, r"golden probabilities are \[1, 2\] wide"),
}


@pytest.mark.parametrize(("change", "message"), WRONG_GOLDEN.values(), ids=WRONG_GOLDEN)
def test_golden_vectors_that_break_a_rule(change: dict[str, Any], message: str) -> None:
    manifest = tiny.manifest().model_dump()
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate({**manifest, "golden": {**manifest["golden"], **change}})
