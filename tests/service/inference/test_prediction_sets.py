"""The choice of prediction sets for a request, and their members."""

import numpy as np
import pytest

from service.contract.certificates import Abstention, PredictionSets, SetMethod
from service.contract.errors import InvalidValue
from service.inference.classifier import Scores
from service.inference.prediction_sets import cells, choose, members
from tests import tiny


def _sets(method: SetMethod, set_coverage: float) -> PredictionSets:
    cuts = [0.5, 0.75] if method == "by_decision" else []
    return PredictionSets(
        set_coverage=set_coverage,
        method=method,
        cuts=cuts,
        thresholds=[0.1, 0.3, 0.9][: len(cuts) + 1],
        order_statistics=[1] * (len(cuts) + 1),
        sizes=[1] * (len(cuts) + 1),
        population="by hand",
        calibration_fingerprint="0" * 64,
    )


OFFERED = [_sets("by_decision", 0.95), _sets("lac", 0.95), _sets("lac", 0.99), _sets("by_decision", 0.9)]


def _abstention() -> Abstention:
    return tiny.abstention().model_copy(update={"prediction_sets": OFFERED})


@pytest.mark.parametrize(
    ("set_coverage", "method", "place"),
    [
        (None, None, 0),
        (0.95, None, 0),
        (0.99, None, 2),  # the only one at that coverage
        (0.9, None, 3),
        (None, "lac", 1),
        (None, "by_decision", 0),
        (0.99, "lac", 2),
        (0.9, "by_decision", 3),
    ],
)
def test_first_that_fits_is_chosen(set_coverage: float | None, method: SetMethod | None, place: int) -> None:
    assert choose(_abstention(), set_coverage, method) is OFFERED[place]


@pytest.mark.parametrize(
    ("set_coverage", "method", "message"),
    [
        (0.8, None, "set_coverage=0.8 is not certified by this model; certified: "),
        (0.99, "by_decision", "set_coverage=0.99 is not certified by this model for by_decision; certified: "),
        (
            None,
            "lac_class_conditional",
            'set_method="lac_class_conditional" is not certified by this model; certified: ',
        ),
    ],
)
def test_unavailable_sets_are_refused(set_coverage: float | None, method: SetMethod | None, message: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        choose(_abstention(), set_coverage, method)
    assert str(refused.value) == f"{message}by_decision 0.95, 0.9; lac 0.95, 0.99"


def test_cuts_and_the_gates_threshold_are_inclusive() -> None:
    cut = np.float32(0.7)  # not 0.7 in double precision
    confidence = np.array([np.nextafter(cut, np.float32(0)), cut, 0.9, 1, 1], dtype=np.float32)
    ood_score = np.array([0, 0, 0, 4, 4.5], dtype=np.float32)
    result = cells(Scores(confidence[:, None], confidence, ood_score), [float(cut), 0.95], 4.0)
    assert result.tolist() == [0, 1, 1, 2, 0]


def test_threshold_is_that_of_the_cell() -> None:
    """Thresholds 0.1, 0.3 and 0.9 below 0.5, below 0.75, and from there on."""
    p = np.array([[0.4, 0.35, 0.25], [0.5, 0.375, 0.125], [0.8, 0.15, 0.05], [0.8, 0.15, 0.05]], dtype=np.float32)
    scores = Scores(p, p.max(axis=1), np.array([0, 0, 0, 9], dtype=np.float32))
    assert members(scores, OFFERED[0], 4.0).tolist() == [
        [True, True, True],
        [True, True, False],
        [True, False, False],  # below the threshold, but the likeliest
        [True, True, False],  # confident, but out of distribution
    ]
