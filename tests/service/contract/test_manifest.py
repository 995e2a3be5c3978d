"""Valid and invalid manifests."""

import base64
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from service.contract.manifest import Manifest, Metrics
from service.contract.reference import Reference
from tests import tiny


def test_manifest_round_trips_through_json() -> None:
    manifest = tiny.manifest()
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_golden_vectors_decode() -> None:
    manifest = tiny.manifest()
    inputs = manifest.golden.decoded_inputs(manifest.input)
    np.testing.assert_array_equal(inputs, tiny.IMAGES)
    assert inputs.dtype == np.uint8
    probabilities, ood_scores = manifest.golden.expected()
    np.testing.assert_array_equal(probabilities, np.array(tiny.PROBABILITIES, np.float32))
    np.testing.assert_array_equal(ood_scores, np.array(tiny.OOD_SCORES, np.float32))


def test_card_is_everything_but_the_golden_vectors() -> None:
    manifest = tiny.manifest()
    card = manifest.card()
    assert set(card) == set(Manifest.model_fields) - {"golden"}
    assert card["labels"] == tiny.LABELS


WRONG: dict[str, tuple[str, object, str]] = {
    "unknown field": ("speed", 1, "Extra inputs are not permitted"),
    "schema": ("schema_version", 1, "Input should be 6"),
    "empty name": ("name", "", "at least 1 character"),
    "one label": ("labels", ["a"], "at least 2 items"),
    "labels alike": ("labels", ["a", "b", "a"], "labels must differ from one another"),
    "labels and golden probabilities": ("labels", ["a", "b"], r"golden probabilities are \[3\] wide for 2 labels"),
    "temperature": ("temperature", 0, "greater than 0"),
    "temperature that is no number": ("temperature", float("nan"), "finite number"),
    "policy": ("default_policy", {"kind": "guess"}, "does not match any of the expected tags"),
    "policy's threshold": ("default_policy", {"kind": "threshold", "threshold": 2}, "less than or equal to 1"),
    "input kind": ("input", {"kind": "sound"}, "does not match any of the expected tags: 'image', 'features'"),
}


@pytest.mark.parametrize(("field", "value", "message"), WRONG.values(), ids=WRONG)
def test_manifest_that_breaks_a_rule(field: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate({**tiny.manifest().model_dump(), field: value})


WRONG_CURVE: dict[str, tuple[dict[str, Any], str]] = {
    "of several lengths": ({"thresholds": [0.9]}, "must have the same length"),
    "rising thresholds": ({"thresholds": [0.5, 0.6, 0.7]}, "thresholds must fall"),
    "falling answers": ({"answered": [3, 2, 4]}, "answered must rise"),
    "more errors than answers": ({"errors": [3, 3, 3]}, "errors must be from 0 to the number answered"),
    "more answers than examples": ({"answered": [2, 3, 5]}, "answers more than the 4 examples"),
}


@pytest.mark.parametrize(("change", "message"), WRONG_CURVE.values(), ids=WRONG_CURVE)
def test_invalid_curve(change: dict[str, Any], message: str) -> None:
    metrics = tiny.manifest().metrics.model_dump()
    curve = {**metrics["risk_coverage"], **change}
    with pytest.raises(ValidationError, match=message):
        Metrics.model_validate({**metrics, "risk_coverage": curve})


_RISK = tiny.abstention().selective_risk[1].model_dump()
_COST = tiny.abstention().reject_cost[1].model_dump()
WRONG_ABSTENTION: dict[str, tuple[dict[str, Any], str]] = {
    "cost matrix of another size": ({"cost_matrix": [[0, 1], [1, 0]]}, "cost_matrix must be 3 x 3"),
    "ragged cost matrix": ({"cost_matrix": [[0, 1, 1], [1, 0, 1], [1, 1]]}, "cost_matrix must be 3 x 3"),
    "no prediction set": ({"prediction_sets": []}, "at least 1 item"),
    "negative cost": ({"cost_matrix": [[0, -1, 1], [1, 0, 1], [1, 1, 0]]}, "greater than or equal to 0"),
    "no cost": ({"cost_matrix": [[0, 0, 0]] * 3}, "cost_matrix has no cost over 0"),
    "two certificates for one risk": ({"selective_risk": [_RISK, _RISK]}, "duplicate promises"),
    "more errors than answers": ({"selective_risk": [{**_RISK, "errors": 51}]}, "51 errors among 50 answers to 100"),
    "more answers than examples": ({"selective_risk": [{**_RISK, "answered": 101}]}, "among 101 answers to 100"),
    "a bound over the risk": ({"selective_risk": [{**_RISK, "risk_bound": 0.2}]}, "but the bound is 0.2"),
    "a bound over the cost": ({"reject_cost": [{**_COST, "answer_cost_bound": 0.3}]}, "but the bound is 0.3"),
    "of another split": (
        {"selective_risk": [{**_RISK, "calibration_fingerprint": "1" * 64}]},
        "not of the manifest's calibration split",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG_ABSTENTION.values(), ids=WRONG_ABSTENTION)
def test_abstention_that_does_not_fit_the_model(change: dict[str, Any], message: str) -> None:
    manifest = tiny.manifest().model_dump()
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate({**manifest, "abstention": {**manifest["abstention"], **change}})


def test_one_threshold_for_each_class() -> None:
    manifest = tiny.manifest().model_dump()
    sets = {**manifest["abstention"]["prediction_sets"][0], "method": "lac_class_conditional"}
    with pytest.raises(ValidationError, match="1 thresholds do not fit method lac_class_conditional"):
        Manifest.model_validate({**manifest, "abstention": {**manifest["abstention"], "prediction_sets": [sets]}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cuts": []}, "method by_decision with 0 cuts"),
        ({"method": "lac"}, "method lac with 2 cuts"),
        ({"cuts": [0.8, 0.8]}, "cuts must rise"),
        ({"cuts": [0.8]}, "3 thresholds do not fit method by_decision"),
    ],
)
def test_one_more_cell_than_cuts(change: dict[str, Any], message: str) -> None:
    manifest = tiny.manifest().model_dump()
    by_class = manifest["abstention"]["prediction_sets"][1]
    sound = {**by_class, "method": "by_decision", "cuts": [0.5, 0.8]}
    for sets in (sound, {**sound, **change}):
        document = {**manifest, "abstention": {**manifest["abstention"], "prediction_sets": [sets]}}
        if sets is sound:
            assert Manifest.model_validate(document).abstention is not None
            continue
        with pytest.raises(ValidationError, match=message):
            Manifest.model_validate(document)


def test_no_certificates_without_a_held_out_report_split() -> None:
    manifest = tiny.manifest().model_dump()
    with pytest.raises(ValidationError, match="not held out cannot have certificates"):
        Manifest.model_validate({**manifest, "data": {**manifest["data"], "report_is_held_out": False}})


def test_default_policy_needs_its_certificate() -> None:
    policy = {"kind": "selective_risk", "selective_risk": 0.1, "confidence_level": 0.95, "threshold": 0.8}
    with pytest.raises(ValidationError, match="the default policy needs a certificate, but there is none"):
        Manifest.model_validate({**tiny.manifest().model_dump(), "abstention": None, "default_policy": policy})


@pytest.mark.parametrize("change", [{"threshold": 0.1}, {"selective_risk": 0.5}, {"confidence_level": 0.5}])
def test_default_policy_is_that_of_a_certificate(change: dict[str, float]) -> None:
    manifest = tiny.manifest().model_dump()
    sound = tiny.abstention().selective_risk[1].policy().model_dump()
    Manifest.model_validate({**manifest, "default_policy": sound})
    with pytest.raises(ValidationError, match="none of the certified ones"):
        Manifest.model_validate({**manifest, "default_policy": {**sound, **change}})


_REFERENCE = tiny.REFERENCE.model_dump()
WRONG_REFERENCE: dict[str, tuple[dict[str, Any], str]] = {
    "labels of another model": ({"labels": [40, 60]}, "the reference counts 2 labels, but the model has 3"),
    "another sum": ({"labels": [10, 60, 31]}, "counts must add up to 100, the size of the split"),
    "a count too few": ({"confidence": {"edges": [0.5, 0.8], "counts": [40, 60]}}, "2 edges need 3 counts"),
    "a count under 0": ({"confidence": {"edges": [0.5], "counts": [-1, 101]}}, "none negative"),
    "edges that fall": ({"ood_score": {"edges": [2.0, 0.5], "counts": [10, 88, 2]}}, "edges must rise"),
    "an own label that is none": ({"own_labels": [3]}, "own_labels must be at most 99 rising indices of the 3 labels"),
    "own labels that fall": ({"own_labels": [1, 0]}, "own_labels must be at most 99 rising indices"),
    "a label of its own twice": ({"own_labels": [1, 1]}, "own_labels must be at most 99 rising indices"),
    "none left to share a bin": ({"own_labels": [0, 1, 2]}, "and not all of them"),
    "very many edges": (
        {"confidence": {"edges": [i / 200 for i in range(100)], "counts": [100] + [0] * 100}},
        "at most 99 items",
    ),
    "of another split": ({"fingerprint": "1" * 64}, "not of the manifest's calibration split"),
}


@pytest.mark.parametrize(("change", "message"), WRONG_REFERENCE.values(), ids=WRONG_REFERENCE)
def test_reference_that_does_not_fit_the_model(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate({**tiny.manifest().model_dump(), "reference": {**_REFERENCE, **change}})


@pytest.mark.parametrize("own", [None, [*range(100)]])
def test_reference_of_many_labels_needs_own_labels(own: list[int] | None) -> None:
    many = {**_REFERENCE, "labels": [1] * 100 + [0] * 5}
    assert Reference.model_validate({**many, "own_labels": [*range(98), 104]})
    with pytest.raises(ValidationError, match="own_labels"):
        Reference.model_validate({**many, "own_labels": own})


WRONG_GOLDEN: dict[str, tuple[dict[str, Any], str]] = {
    "not base64": ({"inputs": "@@"}, "golden inputs are not base64"),
    "a byte short": (
        {"inputs": base64.b64encode(bytes(7)).decode()},
        r"hold 7 bytes, which is not \(4, 1, 2\) of uint8",
    ),
    "none": ({"inputs": "", "probabilities": []}, "at least 1 item"),
    "tolerance": ({"tolerance": 0.1}, "less than or equal to 0.001"),
    "one score short": ({"ood_scores": [1.0, 1.0, 1.0]}, "ood_scores and probabilities must have the same length"),
    "ragged": ({"probabilities": [[0.5, 0.5], [1.0], [1.0], [1.0]]}, r"golden probabilities are \[1, 2\] wide"),
}


@pytest.mark.parametrize(("change", "message"), WRONG_GOLDEN.values(), ids=WRONG_GOLDEN)
def test_golden_vectors_that_break_a_rule(change: dict[str, Any], message: str) -> None:
    manifest = tiny.manifest().model_dump()
    with pytest.raises(ValidationError, match=message):
        Manifest.model_validate({**manifest, "golden": {**manifest["golden"], **change}})
