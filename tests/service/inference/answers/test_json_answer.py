"""The hand-written JSON matches the response model, the decision and the prediction sets."""

import json
from collections.abc import Sequence
from itertools import compress

import numpy as np
import pytest

from service.contract.certificates import PredictionSets, SetMethod
from service.contract.policy import NeverAbstainPolicy, Policy, RejectCostPolicy, SelectiveRiskPolicy, ThresholdPolicy
from service.http.schemas.predict import PredictResponse
from service.inference.answers.json_answer import JsonAnswer
from service.inference.batching import RequestScores
from service.inference.classifier import Scores
from service.inference.decision import decide, top_k
from service.inference.outcome import ModelRef
from service.inference.prediction_id import PredictionId, PredictionIds
from service.inference.prediction_sets import members
from tests import tiny

LABELS = ['a "quoted" one', "ä", "c", "d", "e"]
VERSION = "0123456789ab"
POLICIES: list[Policy] = [
    NeverAbstainPolicy(),
    ThresholdPolicy(threshold=0.5),
    SelectiveRiskPolicy(selective_risk=0.1, confidence_level=0.95, threshold=0.6),
    SelectiveRiskPolicy(selective_risk=0.1, confidence_level=0.95, threshold=None),
    RejectCostPolicy(reject_cost=0.4, confidence_level=0.95, answer_cost_bound=0.1),
]


def _sets(method: SetMethod, thresholds: list[float], cuts: Sequence[float] = ()) -> PredictionSets:
    counts = [10] * len(thresholds)
    return PredictionSets(
        set_coverage=0.9,
        method=method,
        cuts=list(cuts),
        thresholds=thresholds,
        order_statistics=counts,
        sizes=counts,
        population="by hand",
        calibration_fingerprint="0" * 64,
    )


SETS = {
    "none": None,
    "lac": _sets("lac", [0.3]),
    "lac, almost empty": _sets("lac", [0.95]),
    "by class": _sets("lac_class_conditional", [0.99, 0.01, 0.5, 0.2, 0.3]),
    "by decision": _sets("by_decision", [0.01, 0.5, 0.1, 0.97], cuts=[0.5, 0.6, 0.9]),  # some have confidence 0.5
}


def _scores(count: int) -> Scores:
    """Some at a threshold, some tied, some far out."""
    rng = np.random.default_rng(count)
    rows = rng.dirichlet(np.full(len(LABELS), 0.3), count).astype(np.float32)
    rows[::5] = 0.2
    rows[1::5] = [0.5, 0.5, 0, 0, 0]
    return Scores(rows, rows.max(axis=1), rng.choice([0.5, 4.0, 4.1, 9.0], count).astype(np.float32))


def _row(scores: Scores, i: int) -> Scores:
    return Scores(*(column[i : i + 1] for column in (scores.probabilities, scores.confidence, scores.ood_score)))


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("sets", SETS.values(), ids=SETS)
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.kind)
def test_answer_is_the_response_model(policy: Policy, sets: PredictionSets | None, count: int) -> None:
    abstention = tiny.abstention()
    model = ModelRef(name="m", version=VERSION)
    answer = JsonAnswer(
        model, LABELS, abstention, policy, PredictionIds(VERSION), top_k=2, probabilities=True, sets=sets
    )
    batches = [_scores(40)] if count > 1 else [_row(_scores(40), i) for i in range(40)]
    for scores in batches:
        written = answer.write(RequestScores.of(scores, 3, all_probabilities=answer.needs_all_probabilities)).body
        response = PredictResponse.model_validate_json(written, strict=True)
        assert json.loads(response.model_dump_json(exclude_unset=True)) == json.loads(written)
        assert (response.model, response.policy) == (model, policy)
        best = top_k(scores.probabilities, 2)
        possible = [] if sets is None else members(scores, sets, abstention.out_of_distribution.threshold).tolist()
        for i, (prediction, decision) in enumerate(
            zip(response.predictions, decide(scores, policy, abstention), strict=True)
        ):
            assert prediction.reason == decision.reason
            assert prediction.label == (None if decision.label is None else LABELS[decision.label])
            assert prediction.decision == ("abstain" if decision.label is None else "answer")
            assert PredictionId.decode(prediction.id).label == decision.label
            assert prediction.confidence == scores.confidence[i].item()
            assert prediction.probabilities == scores.probabilities[i].tolist()
            assert [(entry.label, entry.probability) for entry in prediction.top_k] == [
                (LABELS[j], scores.probabilities[i, j].item()) for j in best[i]
            ]
            assert prediction.prediction_set == (None if sets is None else list(compress(LABELS, possible[i])))


def test_unrequested_fields_are_null() -> None:
    answer = JsonAnswer(
        ModelRef(name="m", version=VERSION),
        LABELS,
        None,
        NeverAbstainPolicy(),
        PredictionIds(VERSION),
        top_k=1,
        probabilities=False,
        sets=None,
    )
    response = PredictResponse.model_validate_json(
        answer.write(RequestScores.of(_scores(1), 1, all_probabilities=answer.needs_all_probabilities)).body
    )
    assert not answer.needs_all_probabilities
    assert response.predictions[0].top_k[0].probability == _scores(1).confidence.item()
    assert response.prediction_sets is None
    assert response.predictions[0].probabilities is None
    assert response.predictions[0].prediction_set is None


@pytest.mark.parametrize("unknown", [[["zip"]], [[], ["zip", "plan"], []]])
def test_unknown_categories_are_named_where_there_are_any(unknown: list[list[str]]) -> None:
    model = ModelRef(name="m", version=VERSION)
    policy = NeverAbstainPolicy()
    answer = JsonAnswer(model, LABELS, None, policy, PredictionIds(VERSION), top_k=1, probabilities=False, sets=None)
    scores = RequestScores.of(_scores(len(unknown)), 1, all_probabilities=False)
    body, outcome, _ = answer.noting(unknown).write(scores)
    PredictResponse.model_validate_json(body, strict=True)
    predictions = json.loads(body)["predictions"]
    assert [prediction.get("unknown_categories", []) for prediction in predictions] == unknown
    assert ["unknown_categories" in prediction for prediction in predictions] == list(map(bool, unknown))
    assert outcome.unknown_categories == 1
    assert b"unknown_categories" not in answer.write(scores).body
