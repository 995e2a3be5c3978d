"""The certified cost: is an answer worth giving, when errors have a price and abstaining has another?

The rule is Chow's (1970, IEEE Trans. Inform. Theory 16(1)): give the answer of least expected cost, abstain where
that is over the reject cost. It is the best there is if the probabilities are right, so whether it keeps its word is
tested on the calibration split, by the costs that the answers really had.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.certificates import CostCertificate
from service.decision import cheapest
from training.abstention.scored import Scored
from training.abstention.tails import mean_p_value, mean_upper

CostMatrix = Sequence[Sequence[float]]  # [answer][true]

METHOD = "Chow's rule, one test of the mean cost of an answer (exact binomial or Hoeffding-Bentkus)"


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
    tune: Scored,
    calibration: Scored,
    eligible: NDArray[np.bool_],
    matrix: CostMatrix | None,
    reject_cost: float,
    level: float,
) -> CostCertificate:
    """Test, at confidence `level`, that an answer costs on average at most `reject_cost`.

    There is one hypothesis, fixed beforehand, so nothing is searched and nothing to be corrected for.
    """
    answers, expected = cheapest(calibration.scores, matrix)
    answered = eligible & (expected <= reject_cost)
    costs = realised_cost(answers, calibration.labels, matrix)[answered]
    largest = 1.0 if matrix is None else max(max(row) for row in matrix)
    binary = matrix is None or {value for row in matrix for value in row} <= {0, largest}
    p_value = mean_p_value(costs / largest, reject_cost / largest, binary=binary)
    total = float(costs.sum()) + reject_cost * float((~answered).sum())
    return CostCertificate(
        status="certified" if p_value <= 1 - level else "infeasible",
        reject_cost=reject_cost,
        confidence_level=level,
        p_value=p_value,
        answered=len(costs),
        coverage=len(costs) / len(calibration),
        answer_cost=float(costs.mean()) if len(costs) else None,
        answer_cost_bound=largest * mean_upper(costs / largest, level, binary=binary),
        expected_cost=total / len(calibration),
        method=METHOD,
        population=calibration.population,
        size=len(calibration),
        tune_fingerprint=tune.fingerprint,
        calibration_fingerprint=calibration.fingerprint,
    )
