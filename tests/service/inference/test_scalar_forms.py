"""The scalar form of a rule agrees with the vector form on every input of a batch."""

from collections.abc import Sequence
from itertools import compress
from typing import get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.contract.certificates import PredictionSets, SetMethod
from service.contract.policy import NeverAbstainPolicy, Policy, RejectCostPolicy, SelectiveRiskPolicy, ThresholdPolicy
from service.inference.classifier import Scores
from service.inference.decision import decide, limits, outcomes, tally, top_k
from service.inference.prediction_sets import LabelSets, members
from tests import tiny

SETTINGS = settings(max_examples=200, deadline=None, database=None, derandomize=True)
MAX_OOD_SCORE = 2.0
ABSTENTION = tiny.abstention(ood_threshold=MAX_OOD_SCORE)
# A grid of few values, so that ties and scores at a threshold come up, and all of float32 between 0 and 1.
GRID = [0.0, 0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 0.75, 0.8, 0.9, 1.0]
PROBABILITIES = st.sampled_from([float(np.float32(value)) for value in GRID]) | st.floats(0, 1, width=32)
# As double precision, the edge of float32 on the grid is another number: a comparison must not round it.
THRESHOLDS = st.sampled_from(GRID) | PROBABILITIES
OOD_SCORES = st.sampled_from([0.0, MAX_OOD_SCORE, float(np.nextafter(np.float32(2), np.float32(3))), 9.0])


@st.composite
def score_batches(draw: st.DrawFn) -> Scores:
    """Up to five inputs over two to five classes. The probabilities need not add up to 1: no rule asks for it."""
    count, classes = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    rows = st.lists(PROBABILITIES, min_size=classes, max_size=classes)
    probabilities = np.array(draw(st.lists(rows, min_size=count, max_size=count)), np.float32)
    ood_scores = draw(st.lists(OOD_SCORES, min_size=count, max_size=count))
    return Scores(probabilities, probabilities.max(axis=1), np.array(ood_scores, np.float32))


POLICIES: st.SearchStrategy[Policy] = st.one_of(
    st.just(NeverAbstainPolicy()),
    THRESHOLDS.map(lambda threshold: ThresholdPolicy(threshold=threshold)),
    st.one_of(st.none(), THRESHOLDS).map(
        lambda threshold: SelectiveRiskPolicy(selective_risk=0.1, confidence_level=0.95, threshold=threshold)
    ),
    st.sampled_from([0.1, 0.5]).map(
        lambda cost: RejectCostPolicy(reject_cost=cost, confidence_level=0.95, answer_cost_bound=0.1)
    ),
)


@SETTINGS
@given(scores=score_batches(), policy=POLICIES, gated=st.booleans())
def test_decision(scores: Scores, policy: Policy, gated: bool) -> None:
    abstention = ABSTENTION if gated else None
    vector = decide(scores, policy, abstention)
    assert outcomes(scores, policy, abstention).tally() == tally(decision.reason for decision in vector)
    of_policy = limits(policy, abstention)
    if of_policy is None:
        assert isinstance(policy, SelectiveRiskPolicy | RejectCostPolicy)
        return
    labels = scores.probabilities.argmax(axis=1).tolist()
    columns = zip(labels, scores.confidence.tolist(), scores.ood_score.tolist(), strict=True)
    assert [of_policy.decision(*one) for one in columns] == vector


@st.composite
def prediction_sets(draw: st.DrawFn, classes: int) -> PredictionSets:
    method: SetMethod = draw(st.sampled_from(get_args(SetMethod)))
    by_decision = method == "by_decision"
    cuts = sorted(draw(st.sets(THRESHOLDS, min_size=1, max_size=3))) if by_decision else []
    count = classes if method == "lac_class_conditional" else len(cuts) + 1
    return PredictionSets(
        set_coverage=0.9,
        method=method,
        cuts=cuts,
        thresholds=draw(st.lists(THRESHOLDS, min_size=count, max_size=count)),
        order_statistics=[1] * count,
        sizes=[1] * count,
        population="by hand",
        calibration_fingerprint="0" * 64,
    )


@SETTINGS
@given(data=st.data(), scores=score_batches())
def test_prediction_set(data: st.DataObject, scores: Scores) -> None:
    classes = scores.probabilities.shape[1]
    sets = data.draw(prediction_sets(classes))
    labels: Sequence[str] = "abcde"[:classes]
    scalar = LabelSets(labels, sets, MAX_OOD_SCORE)
    likeliest = top_k(scores.probabilities, data.draw(st.integers(1, classes))).tolist()
    columns = (scores.probabilities.tolist(), scores.confidence.tolist(), scores.ood_score.tolist(), likeliest)
    vector = members(scores, sets, MAX_OOD_SCORE)
    assert [scalar.of(*one) for one in zip(*columns, strict=True)] == [list(compress(labels, row)) for row in vector]
