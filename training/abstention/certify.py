"""From the file's scores on `tune` and `calibration` to all that the manifest says about abstention."""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from service.certificates import Abstention, OutOfDistributionGate, PredictionSets
from training.abstention import cost, selective_risk
from training.abstention.cells import expected_cuts, wide_enough
from training.abstention.conformal import by_decision, kth_smallest, lac, lac_class_conditional, order_statistic
from training.abstention.principal_components import METHOD, PrincipalComponents
from training.abstention.scored import Scored
from training.abstention.settings import AbstentionSettings
from training.errors import TrainingError

_MOST_CONDITIONAL = 1000  # classes; of more, most have too few examples, and every set would hold all those


def certify(
    tune: Scored, calibration: Scored, components: PrincipalComponents, settings: AbstentionSettings
) -> Abstention:
    """Fix every rule on `tune`, then test it on `calibration`.

    Each promise holds at the confidence level for itself; that all hold at once is less likely. Raises TrainingError
    where `tune` is too small for the false alarm rate.
    """
    check_size(len(tune), settings)
    gate = _gate(tune, components, settings.false_alarm_rate)
    inside = _inside(calibration, gate)
    sequence = selective_risk.Sequence.on(tune.scores.confidence, tune.wrong, _inside(tune, gate))
    level, matrix = settings.confidence_level, settings.cost_matrix
    risks, costs = sorted(settings.selective_risk), sorted(settings.reject_cost)
    return Abstention(
        out_of_distribution=gate,
        selective_risk=[selective_risk.certify(sequence, tune, calibration, inside, r, level) for r in risks],
        cost_matrix=None if matrix is None else [list(row) for row in matrix],
        reject_cost=[cost.certify(tune, calibration, inside, matrix, c, level) for c in costs],
        prediction_sets=_sets(tune, calibration, sequence, gate.threshold, settings),
    )


def check_size(tune_size: int, settings: AbstentionSettings) -> None:
    """Raise TrainingError where `tune` is too small for the false alarm rate: before a fit, not after it."""
    rate = Fraction(str(settings.false_alarm_rate))
    if order_statistic(tune_size, 1 - rate) > tune_size:
        raise TrainingError(
            f"a false alarm rate of {settings.false_alarm_rate:g} cannot be promised with {tune_size} examples in "
            f"tune: at least {math.ceil(1 / rate) - 1} are needed, or --false-alarm-rate "
            f"{math.ceil(Fraction(1000, tune_size + 1)) / 1000:g}"
        )


def _sets(
    tune: Scored,
    calibration: Scored,
    sequence: selective_risk.Sequence,
    largest_ood_score: float,
    settings: AbstentionSettings,
) -> list[PredictionSets]:
    """The sets of each coverage, in the order asked, and of each method, the default first."""
    size, classes = calibration.scores.probabilities.shape
    expected = expected_cuts(sequence, size, settings)
    found = []
    for coverage in settings.set_coverage:
        cuts = wide_enough(expected, tune.scores, largest_ood_score, size, coverage)
        if cuts:
            found.append(by_decision(calibration, coverage, cuts, largest_ood_score))
        found.append(lac(calibration, coverage))
        if classes <= _MOST_CONDITIONAL:
            found.append(lac_class_conditional(calibration, coverage))
    return found


def _inside(scored: Scored, gate: OutOfDistributionGate) -> NDArray[np.bool_]:
    return scored.scores.ood_score.astype(np.float64) <= gate.threshold


def _gate(tune: Scored, components: PrincipalComponents, false_alarm_rate: float) -> OutOfDistributionGate:
    rank = order_statistic(len(tune), 1 - Fraction(str(false_alarm_rate)))
    return OutOfDistributionGate(
        threshold=kth_smallest(tune.scores.ood_score, rank),
        false_alarm_rate=false_alarm_rate,
        components=components.axes.shape[1],
        explained_variance=components.explained_variance,
        order_statistic=rank,
        size=len(tune),
        method=METHOD,
        population=tune.population,
        tune_fingerprint=tune.fingerprint,
    )
