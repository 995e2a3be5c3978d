"""The operating points to certify, as the user sets them. Imports nothing heavy: the command line reads it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AbstentionSettings:
    """The operating points to certify. All but the costs are shares, strictly between 0 and 1."""

    selective_risk: tuple[float, ...] = (0.01, 0.02, 0.03, 0.05, 0.1)
    familywise: bool = False  # whether all of them hold together at the confidence level, or each by itself
    confidence_level: float = 0.95
    default_risk: float = 0.05  # for requests that name no policy; one of `selective_risk`
    reject_cost: tuple[float, ...] = (0.05, 0.1, 0.2)
    cost_matrix: tuple[tuple[float, ...], ...] | None = None  # [answer][true]; None: 1 for any error
    set_coverage: tuple[float, ...] = (0.95, 0.9, 0.99)  # the first is the default
    false_alarm_rate: float = 0.01

    @property
    def family(self) -> int:
        """The number of selective risks that hold together at the confidence level."""
        return len(self.selective_risk) if self.familywise else 1

    @property
    def risk_level(self) -> float:
        """The confidence level at which each selective risk is tested.

        >>> AbstentionSettings().risk_level, round(AbstentionSettings(familywise=True).risk_level, 9)
        (0.95, 0.99)
        """
        return bonferroni(self.confidence_level, self.family)


def bonferroni(confidence_level: float, family: int) -> float:
    """The confidence level of each of `family` promises that hold together at `confidence_level` (Bonferroni).

    >>> bonferroni(0.95, 1), round(bonferroni(0.95, 5), 10)
    (0.95, 0.99)
    """
    return 1 - (1 - confidence_level) / family
