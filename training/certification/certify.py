"""From the file's scores on `tune` and `calibration` to all that the manifest says about abstention."""

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import Abstention, OutOfDistributionGate, PredictionSets
from training.certification import cost, selective_risk
from training.certification.cells import expected_cuts, wide_enough
from training.certification.conformal import by_decision, lac, lac_class_conditional
from training.certification.fixed_sequence import Sequence
from training.certification.gate import gate
from training.certification.principal_components import PrincipalComponents
from training.certification.samples import Side
from training.certification.scored import Scored
from training.certification.settings import AbstentionSettings

_MOST_CONDITIONAL = 1000  # classes; of more, most have too few examples, and every set would hold all those


def certify(
    tune: Scored,
    calibration: Scored,
    components: PrincipalComponents,
    settings: AbstentionSettings,
    largest_group: int = 1,
) -> Abstention:
    """Fix every rule on `tune`, then test it on `calibration`.

    Each promise holds at the confidence level for itself, the selective risks all together where the settings say
    `familywise`. `largest_group` is the most rows of a group, known without either split.
    """
    level, matrix = settings.confidence_level, settings.cost_matrix
    limit = gate(tune, components, settings.false_alarm_rate, level, largest_group)
    fixed, tested = (Side.of_split(part, _inside(part, limit), largest_group) for part in (tune, calibration))
    sequence = Sequence.on(tune.scores.confidence, tune.wrong, fixed.inside)
    risks, costs = sorted(settings.selective_risk), sorted(settings.reject_cost)
    family = len(risks) if settings.familywise else 1
    own = selective_risk.level_of_each(level, family)
    choices = {r: selective_risk.choose(sequence, fixed, tested, r, own) for r in risks}
    expected = {r: choice.expected for r, choice in choices.items()}
    return Abstention(
        out_of_distribution=limit,
        selective_risk=[selective_risk.certify(sequence, fixed, tested, r, level, family, choices[r]) for r in risks],
        cost_matrix=None if matrix is None else [list(row) for row in matrix],
        reject_cost=[cost.certify(fixed, tested, matrix, c, level) for c in costs],
        prediction_sets=_sets(fixed, tested, expected_cuts(expected, settings.default_risk), limit.threshold, settings),
    )


def _sets(
    tune: Side, calibration: Side, expected: list[float], largest_ood_score: float, settings: AbstentionSettings
) -> list[PredictionSets]:
    """The sets of each coverage, in the order asked, and of each method, the default first."""
    largest, rows = calibration.samples[0].largest, calibration.samples[0].rows
    counted = calibration.scored if calibration.scored.groups is None else calibration.scored.take(rows)
    found = []
    for coverage in settings.set_coverage:
        cuts = wide_enough(expected, tune.scored.scores, largest_ood_score, len(counted), coverage)
        if cuts:
            found.append(by_decision(counted, coverage, cuts, largest_ood_score, largest))
        found.append(lac(counted, coverage, largest))
        if counted.scores.probabilities.shape[1] <= _MOST_CONDITIONAL:
            found.append(lac_class_conditional(counted, coverage, largest))
    return found


def _inside(scored: Scored, gate: OutOfDistributionGate) -> NDArray[np.bool_]:
    return scored.scores.ood_score.astype(np.float64) <= gate.threshold
