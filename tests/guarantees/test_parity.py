"""The service serves what was certified: it agrees with the file on every image of the report split."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from service.contract.policy import PolicyRequest
from service.inference.classifier import Classifier
from service.inference.decision import decide, resolve
from service.inference.prediction_sets import choose, members
from tests.server import serving
from training.certification.scored import score
from training.data.dataset import Dataset, Labelled
from training.data.splits import split

pytestmark = pytest.mark.guarantee

RAW = {"content-type": "application/octet-stream"}
Row = tuple[str, str | None, str | None, list[str]]  # decision, label, reason, prediction set


@dataclass(frozen=True)
class Deployment:
    """A service, the file that it serves, and the images to classify."""

    address: str
    classifier: Classifier
    report: Labelled


@pytest.fixture(scope="module")
def deployment(trained_model: Path, dataset: Dataset) -> Iterator[Deployment]:
    classifier = Classifier.load(trained_model)
    report = split(dataset, "tuned", classifier.manifest.training.seed).report
    with serving(trained_model) as server:
        yield Deployment(server.address, classifier, report)


@pytest.mark.parametrize("batch", [1, 7, 256])
@pytest.mark.parametrize(
    "policy",
    [PolicyRequest(selective_risk=0.05), PolicyRequest(reject_cost=0.1), PolicyRequest(never_abstain=True)],
    ids=lambda policy: next(iter(policy.model_fields_set)),
)
def test_service_decides_as_the_file_does(deployment: Deployment, policy: PolicyRequest, batch: int) -> None:
    assert _served(deployment, policy, batch) == _by_hand(deployment, policy)


def _served(deployment: Deployment, policy: PolicyRequest, batch: int) -> list[Row]:
    query, images = policy.model_dump(exclude_none=True), deployment.report.inputs
    rows: list[Row] = []
    with httpx2.Client(base_url=deployment.address, params=query, headers=RAW, timeout=30) as client:
        for start in range(0, len(images), batch):
            answer = client.post("/predict", content=images[start : start + batch].tobytes())
            assert answer.status_code == 200, answer.text
            rows += [
                (p["decision"], p["label"], p["reason"], p["prediction_set"]) for p in answer.json()["predictions"]
            ]
    return rows


def _by_hand(deployment: Deployment, policy: PolicyRequest) -> list[Row]:
    manifest, scores = deployment.classifier.manifest, score(deployment.classifier, deployment.report).scores
    decisions = decide(scores, resolve(policy, manifest.abstention), manifest.abstention)
    sets = choose(manifest.abstention, None, None)
    assert manifest.abstention is not None
    assert sets is not None
    inside = members(scores, sets, manifest.abstention.out_of_distribution.threshold).tolist()
    return [
        (
            "abstain" if decision.label is None else "answer",
            None if decision.label is None else manifest.labels[decision.label],
            decision.reason,
            [label for label, inside in zip(manifest.labels, row, strict=True) if inside],
        )
        for decision, row in zip(decisions, inside, strict=True)
    ]
