"""The certified cost: is an answer worth giving, when errors have a price and abstaining has another?

The rule is Chow's (1970, IEEE Trans. Inform. Theory 16(1)): give the answer of least expected cost, abstain where
that is over the reject cost. It is the best there is if the probabilities are right, so whether it keeps its word is
tested on the calibration split, by the costs that the answers really had.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import CostCertificate
from service.inference.decision import cheapest
from training.certification.samples import Sample, Side

CostMatrix = Sequence[Sequence[float]]  # [answer][true]

METHOD = "Chow's rule, one test of the mean cost of an answer"


def realised_cost(
    answers: NDArray[np.intp], labels: NDArray[np.int64], matrix: CostMatrix | None
) -> NDArray[np.float64]:
    """What each answer cost, `[N]`: 1 for an error, or the matrix's [answer][true].

    >>> realised_cost(np.array([0, 1]), np.array([1, 1]), ((0.0, 5.0), (1.0, 0.0)))
    array([5., 0.])
    """
    if matrix is None:
        wrong: NDArray[np.bool_] = answers != labels
        return wrong.astype(np.float64)
    return np.array([matrix[answer][label] for answer, label in zip(answers, labels, strict=True)], dtype=np.float64)


def certify(
    tune: Side, calibration: Side, matrix: CostMatrix | None, reject_cost: float, level: float
) -> CostCertificate:
    """Test, at confidence `level`, that an answer costs on average at most `reject_cost`.

    There is one hypothesis, fixed beforehand, so nothing is searched and nothing to be corrected for.
    """
    largest = 1.0 if matrix is None else max(max(row) for row in matrix)
    binary = matrix is None or {value for row in matrix for value in row} <= {0, largest}
    sample = _chosen(tune, calibration, matrix, reject_cost, binary=binary)
    if not binary and sample.test == "binomial":
        sample = replace(sample, test="betting")
    answered, costs = _realised(calibration, sample, matrix, reject_cost)
    p_value = sample.p_value(costs / largest, answered, reject_cost / largest, binary=binary)
    bound = largest * sample.upper(costs / largest, answered, level, binary=binary)
    certified = p_value <= 1 - level
    given = costs[answered]
    total = float(given.sum()) + reject_cost * float((~answered).sum())
    return CostCertificate(
        status="certified" if certified else "infeasible",
        reject_cost=reject_cost,
        confidence_level=level,
        p_value=p_value,
        answered=len(given),
        coverage=len(given) / max(1, len(sample)),
        answer_cost=float(given.mean()) if len(given) else None,
        # The reject cost passed, so a bound over it is one of the search's tolerance.
        answer_cost_bound=min(bound, reject_cost) if certified else bound,
        expected_cost=total / max(1, len(sample)),
        method=METHOD,
        population=calibration.scored.population,
        size=len(sample),
        **sample.stated(),
        tune_fingerprint=tune.scored.fingerprint,
        calibration_fingerprint=calibration.scored.fingerprint,
    )


def _realised(
    side: Side, sample: Sample, matrix: CostMatrix | None, reject_cost: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which rows of the sample are answered, and what an answer to each would cost, `[N]`."""
    answers, expected = cheapest(side.scored.scores, matrix)
    costs = realised_cost(answers, side.scored.labels, matrix)
    return (side.inside & (expected <= reject_cost))[sample.rows], costs[sample.rows]


def _chosen(tune: Side, calibration: Side, matrix: CostMatrix | None, reject_cost: float, *, binary: bool) -> Sample:
    """The test with the lowest p-value to be expected, judged on `tune` alone."""
    if len(calibration.samples) == 1:
        return calibration.samples[0]
    largest = 1.0 if matrix is None else max(max(row) for row in matrix)

    def expected(ours: Sample, theirs: Sample) -> float:
        answered, costs = _realised(tune, ours, matrix, reject_cost)
        share = len(theirs) / max(1, len(ours))
        return ours.expected_p_value(costs / largest, answered, reject_cost / largest, share, binary=binary)

    outlooks = list(map(expected, tune.outlooks, calibration.samples))
    return calibration.samples[outlooks.index(min(outlooks))]
