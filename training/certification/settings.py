"""What a user asks of the abstention: the risks, the costs, the levels."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AbstentionSettings:
    """The operating points to certify. Shares, each strictly between 0 and 1, but for the costs."""

    selective_risk: tuple[float, ...] = (0.01, 0.02, 0.03, 0.05, 0.1)
    familywise: bool = False  # whether all of these hold together at the confidence level, or each for itself
    confidence_level: float = 0.95
    default_risk: float = 0.05  # of the requests that name no policy; one of `selective_risk`
    reject_cost: tuple[float, ...] = (0.05, 0.1, 0.2)
    cost_matrix: tuple[tuple[float, ...], ...] | None = None  # [answer][true]; None: 1 for any error
    set_coverage: tuple[float, ...] = (0.95, 0.9, 0.99)  # the first is the default
    false_alarm_rate: float = 0.01

    @property
    def risk_level(self) -> float:
        """The confidence level at which each selective risk is tested: the higher the more hold together (Bonferroni).

        >>> AbstentionSettings().risk_level, round(AbstentionSettings(familywise=True).risk_level, 9)
        (0.95, 0.99)
        """
        family = len(self.selective_risk) if self.familywise else 1
        return 1 - (1 - self.confidence_level) / family
