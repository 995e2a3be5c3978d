"""From the file's scores on `tune` and `calibration` to everything that the manifest states about abstention."""

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import Abstention, OutOfDistributionGate, PredictionSets
from training.certification import reject_cost, selective_risk
from training.certification.conformal import by_decision, expected_cuts, lac, lac_class_conditional, wide_enough
from training.certification.fixed_sequence import ThresholdSequence
from training.certification.gate import certify_gate
from training.certification.principal_components import PrincipalComponents
from training.certification.samples import GatedSplit
from training.certification.scored import Scored
from training.certification.settings import AbstentionSettings

_MAX_CONDITIONAL = 1000  # classes; with more, most have too few examples, and every set would hold all of those


def certify(
    tune: Scored,
    calibration: Scored,
    components: PrincipalComponents,
    settings: AbstentionSettings,
    largest_group: int = 1,
) -> Abstention:
    """Fix every rule on `tune`, then test it on `calibration`.

    Each promise holds at the confidence level by itself; with `settings.familywise` the selective risks hold together.
    `largest_group` is the number of rows of the largest group, known without either split.
    """
    level, matrix = settings.confidence_level, settings.cost_matrix
    gate = certify_gate(tune, components, settings.false_alarm_rate, level, largest_group)
    tune_split, calibration_split = (
        GatedSplit.of_split(part, _inside(part, gate), largest_group) for part in (tune, calibration)
    )
    sequence = ThresholdSequence.from_tune(tune.scores.confidence, tune.wrong, tune_split.inside)
    risks, costs = sorted(settings.selective_risk), sorted(settings.reject_cost)
    choices = {
        risk: selective_risk.choose(sequence, tune_split, calibration_split, risk, settings.risk_level)
        for risk in risks
    }
    cuts = expected_cuts({risk: choice.expected for risk, choice in choices.items()}, settings.default_risk)
    return Abstention(
        out_of_distribution=gate,
        selective_risk=[
            selective_risk.certify(sequence, tune_split, calibration_split, risk, level, settings.family, choices[risk])
            for risk in risks
        ],
        cost_matrix=None if matrix is None else [list(row) for row in matrix],
        reject_cost=[reject_cost.certify(tune_split, calibration_split, matrix, cost, level) for cost in costs],
        prediction_sets=_sets(tune_split, calibration_split, cuts, gate.threshold, settings),
    )


def _sets(
    tune: GatedSplit,
    calibration: GatedSplit,
    expected: list[float],
    largest_ood_score: float,
    settings: AbstentionSettings,
) -> list[PredictionSets]:
    """The sets of each coverage, in the order of the settings, and of each method, the default first."""
    sample = calibration.samples[0]
    counted = calibration.scored if calibration.scored.groups is None else calibration.scored.take(sample.rows)
    sets = []
    for coverage in settings.set_coverage:
        cuts = wide_enough(expected, tune.scored.scores, largest_ood_score, len(counted), coverage)
        if cuts:
            sets.append(by_decision(counted, coverage, cuts, largest_ood_score, sample.largest_group))
        sets.append(lac(counted, coverage, sample.largest_group))
        if counted.scores.probabilities.shape[1] <= _MAX_CONDITIONAL:
            sets.append(lac_class_conditional(counted, coverage, sample.largest_group))
    return sets


def _inside(scored: Scored, gate: OutOfDistributionGate) -> NDArray[np.bool_]:
    return scored.scores.ood_score.astype(np.float64) <= gate.threshold
