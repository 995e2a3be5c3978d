"""The certificate of a reject cost: the mean cost of an answer is at most the cost of abstaining.

Chow's rule (1970, IEEE Trans. Inform. Theory 16(1)): give the answer of least expected cost, and abstain if that cost
exceeds the reject cost. The rule is optimal if the probabilities are right. They may not be, so the calibration split
tests the mean of the costs that the answers really had. This assumes independent calibration examples, or groups.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import CostCertificate
from service.inference.decision import cheapest
from training.certification.cost_matrix import CostMatrix
from training.certification.samples import GatedSplit, Sample

METHOD = "Chow's rule, one test of the mean cost of an answer"


def realised_cost(
    answers: NDArray[np.intp], labels: NDArray[np.int64], matrix: CostMatrix | None
) -> NDArray[np.float64]:
    """The cost of each answer, `[N]`: 1 for an error, or the matrix's [answer][true].

    >>> realised_cost(np.array([0, 1]), np.array([1, 1]), ((0.0, 5.0), (1.0, 0.0)))
    array([5., 0.])
    """
    if matrix is None:
        wrong: NDArray[np.bool_] = answers != labels
        return wrong.astype(np.float64)
    return np.array([matrix[answer][label] for answer, label in zip(answers, labels, strict=True)], dtype=np.float64)


def certify(
    tune: GatedSplit, calibration: GatedSplit, matrix: CostMatrix | None, reject_cost: float, level: float
) -> CostCertificate:
    """Test, at the confidence `level`, that the mean cost of an answer is at most `reject_cost`.

    There is one hypothesis, fixed beforehand, so there is nothing to correct for.
    """
    largest = 1.0 if matrix is None else max(max(row) for row in matrix)
    binary = matrix is None or {value for row in matrix for value in row} <= {0, largest}
    sample = _choose(tune, calibration, matrix, reject_cost, binary=binary)
    if not binary and sample.test == "binomial":
        sample = replace(sample, test="betting")
    answered, costs = _answered_costs(calibration, sample, matrix, reject_cost)
    p_value = sample.p_value(costs / largest, answered, reject_cost / largest, binary=binary)
    bound = largest * sample.upper(costs / largest, answered, level, binary=binary)
    certified = p_value <= 1 - level
    answer_costs = costs[answered]
    total = float(answer_costs.sum()) + reject_cost * float((~answered).sum())
    return CostCertificate(
        status="certified" if certified else "infeasible",
        reject_cost=reject_cost,
        confidence_level=level,
        p_value=p_value,
        answered=len(answer_costs),
        coverage=len(answer_costs) / max(1, len(sample)),
        answer_cost=float(answer_costs.mean()) if len(answer_costs) else None,
        # The reject cost passed its test, so a bound above it is due to the tolerance of the search.
        answer_cost_bound=min(bound, reject_cost) if certified else bound,
        expected_cost=total / max(1, len(sample)),
        method=METHOD,
        population=calibration.scored.population,
        size=len(sample),
        **sample.certificate_fields(),
        tune_fingerprint=tune.scored.fingerprint,
        calibration_fingerprint=calibration.scored.fingerprint,
    )


def _answered_costs(
    split: GatedSplit, sample: Sample, matrix: CostMatrix | None, reject_cost: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which rows of the sample are answered, and the cost of an answer to each, `[N]`."""
    answers, expected = cheapest(split.scored.scores, matrix)
    costs = realised_cost(answers, split.scored.labels, matrix)
    return (split.inside & (expected <= reject_cost))[sample.rows], costs[sample.rows]


def _choose(
    tune: GatedSplit, calibration: GatedSplit, matrix: CostMatrix | None, reject_cost: float, *, binary: bool
) -> Sample:
    """The sample with the lowest expected p-value, judged on `tune` alone."""
    if len(calibration.samples) == 1:
        return calibration.samples[0]
    largest = 1.0 if matrix is None else max(max(row) for row in matrix)

    def expected(ours: Sample, theirs: Sample) -> float:
        answered, costs = _answered_costs(tune, ours, matrix, reject_cost)
        share = len(theirs) / max(1, len(ours))
        return ours.expected_p_value(costs / largest, answered, reject_cost / largest, share, binary=binary)

    p_values = list(map(expected, tune.forecast_samples, calibration.samples))
    return calibration.samples[p_values.index(min(p_values))]
