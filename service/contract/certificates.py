"""When a model may answer, and on what evidence: what the training job certified, as the manifest states it.

Each certificate stands for itself: what is promised, with which confidence, the numbers it rests on, and the
population that it holds for. A promise is about inputs drawn as the calibration split was; for others it is void.
"""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from service.contract.fail_fast_list import FailFastList
from service.contract.policy import RejectCostPolicy, SelectiveRiskPolicy

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Probability = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=0)]
Status = Literal["certified", "infeasible"]
RiskTest = Literal["binomial", "betting", "one_row_per_group"]
SetMethod = Literal["by_decision", "lac", "lac_class_conditional"]


class _Statement(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Certificate(_Statement):
    status: Status = Field(description="Whether the promise is proved.")
    confidence_level: OpenShare = Field(
        description="The least probability, over draws of the calibration split, that the promise holds."
    )
    p_value: Probability | None = Field(description="Of the hypothesis that the promise is broken; null if untested.")
    method: str = Field(description="How the rule was chosen.")
    unit: Literal["row", "group"] = Field(
        description="What the test takes to be independent: each row, or each group of rows, such as a patient."
    )
    test: RiskTest = Field(
        description="The exact binomial tail of the errors; a bet against the hypothesis, over the groups or over the "
        "costs of the rows; or the former of one random row a group."
    )
    groups: Annotated[int, Field(ge=0)] | None = Field(description="Groups that were tested; null for rows.")
    largest_group: Annotated[int, Field(ge=1)] | None = Field(
        description="The most rows that a group counts with: of a larger one, so many drawn at random; null for rows."
    )
    population: str = Field(description="What the calibration split was drawn from: the promise is about this.")
    size: Count = Field(description="Rows of the calibration split that were tested.")
    tune_fingerprint: Sha256 = Field(description="Of the split on which the rule was fixed beforehand.")
    calibration_fingerprint: Sha256 = Field(description="Of the split on which it was tested.")

    @property
    def error(self) -> float:
        """The largest p-value that is certified."""
        return 1 - self.confidence_level

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if {self.groups is None, self.largest_group is None} != {self.unit == "row"}:
            raise ValueError(f"unit is {self.unit} with groups {self.groups}, largest_group {self.largest_group}")
        return self

    @model_validator(mode="after")
    def _passed(self) -> Self:
        passed = self.p_value is not None and self.p_value <= self.error
        if (self.status == "certified") != passed:
            raise ValueError(f"{self.status} with p-value {self.p_value} at confidence {self.confidence_level}")
        return self


class RiskCertificate(_Certificate):
    """Among the answered, at most `selective_risk` are wrong. Answered means: confidence >= threshold, and not OOD.

    `infeasible`: no threshold passed, and every other number is null; the service then never answers.
    """

    selective_risk: OpenShare = Field(description="The most errors among the answered, as a share.")
    family: int = Field(
        ge=1,
        description="How many selective risks of this file hold together at the confidence level; 1: each for itself.",
    )
    threshold: Probability | None = Field(description="The least confidence at which the model answers.")
    answered: Count | None = Field(description="Calibration examples answered at the threshold.")
    errors: Count | None = Field(description="Wrong ones among them.")
    risk_bound: Probability | None = Field(description="Upper bound of the selective risk, by the same test.")
    coverage: Probability | None = Field(description="Share of the calibration split that is answered.")

    @property
    def error(self) -> float:
        """The largest p-value that is certified: of a family each has its share (Bonferroni)."""
        return (1 - self.confidence_level) / self.family

    @model_validator(mode="after")
    def _whole(self) -> Self:
        numbers = (self.threshold, self.answered, self.errors, self.risk_bound, self.coverage)
        if any((number is None) != (self.status == "infeasible") for number in numbers):
            raise ValueError(f"a certificate that is {self.status} has its numbers all or none")
        if self.errors is not None and self.answered is not None and not self.errors <= self.answered <= self.size:
            raise ValueError(f"{self.errors} errors among {self.answered} answers to {self.size} examples cannot be")
        if self.risk_bound is not None and self.risk_bound > self.selective_risk:
            raise ValueError(f"certified is selective_risk {self.selective_risk}, and the bound is {self.risk_bound}")
        return self

    def policy(self) -> SelectiveRiskPolicy:
        """The policy that keeps this promise."""
        return SelectiveRiskPolicy(
            selective_risk=self.selective_risk, confidence_level=self.confidence_level, threshold=self.threshold
        )


class CostCertificate(_Certificate):
    """An answer costs on average at most `reject_cost`: answering pays. The answers are those of least expected cost.

    `infeasible`: the realised costs do not bear that out, and the service then never answers.
    """

    reject_cost: float = Field(gt=0, description="What an abstention costs.")
    answered: Count = Field(description="Calibration examples answered.")
    coverage: Probability = Field(description="Share of the calibration split that is answered.")
    answer_cost: float | None = Field(ge=0, description="Mean realised cost of an answer; null where there was none.")
    answer_cost_bound: float = Field(ge=0, description="Upper bound of that mean, at the confidence level.")
    expected_cost: float = Field(ge=0, description="Mean realised cost of an input, abstentions included.")

    @model_validator(mode="after")
    def _pays(self) -> Self:
        if self.status == "certified" and self.answer_cost_bound > self.reject_cost:
            raise ValueError(f"certified is reject_cost {self.reject_cost}, and the bound is {self.answer_cost_bound}")
        return self

    def policy(self) -> RejectCostPolicy:
        """The policy that keeps this promise."""
        return RejectCostPolicy(
            reject_cost=self.reject_cost,
            confidence_level=self.confidence_level,
            answer_cost_bound=self.answer_cost_bound if self.status == "certified" else None,
        )


class OutOfDistributionGate(_Statement):
    """An input is taken for one of the model's kind where `ood_score` <= threshold."""

    threshold: float = Field(description="The largest `ood_score` that is answered.")
    false_alarm_rate: OpenShare = Field(description="At most this share of the model's own kind is turned away.")
    asked_false_alarm_rate: OpenShare = Field(
        description="What was asked for. Lower than false_alarm_rate where tune is too small to promise it."
    )
    confidence_level: OpenShare = Field(description="The least probability, over draws of `tune`, that it is so.")
    components: int = Field(ge=1, description="Principal components of the training inputs.")
    explained_variance: Probability = Field(description="Share of the inputs' variance along the components.")
    order_statistic: int = Field(ge=1, description="The threshold is the score of this rank, from below, on `tune`.")
    size: int = Field(ge=1, description="Examples in `tune`.")
    method: str = Field(description="How the threshold was set.")
    population: str = Field(description="What `tune` was drawn from.")
    tune_fingerprint: Sha256 = Field(description="Of the split that the threshold is from.")


class PredictionSets(_Statement):
    """The set of the classes with probability >= threshold holds the true one in at least `set_coverage` of cases.

    `lac` has one threshold, `lac_class_conditional` one a class, `by_decision` one a cell. The cell of an input is the
    number of cuts <= its confidence, and 0 where the gate turns it away. With one threshold a class or a cell, the
    promise holds in each of them.
    """

    set_coverage: OpenShare = Field(description="How often a set holds the true label, at least.")
    method: SetMethod = Field(description="Of what the promise holds: of each cell, of all inputs, of each class.")
    cuts: FailFastList[Probability] = Field(
        default_factory=list, description="Confidences that part the cells, rising; empty but for by_decision."
    )
    thresholds: FailFastList[Probability] = Field(
        min_length=1,
        description="One, one a cell from the least confident on, or one a class; 0 where data are too few.",
    )
    order_statistics: FailFastList[int] = Field(
        description="Rank of each threshold, from above, among the true classes'."
    )
    sizes: FailFastList[int] = Field(description="Calibration examples behind each threshold.")
    population: str = Field(description="What the calibration split was drawn from: the promise is about this.")
    calibration_fingerprint: Sha256 = Field(description="Of the split that the thresholds are from.")

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if not len(self.thresholds) == len(self.order_statistics) == len(self.sizes):
            raise ValueError("thresholds, order_statistics and sizes must be equally many")
        if bool(self.cuts) != (self.method == "by_decision"):
            raise ValueError(f"method {self.method} with {len(self.cuts)} cuts")
        if any(high <= low for low, high in pairwise(self.cuts)):
            raise ValueError("cuts must rise")
        return self

    def expected_thresholds(self, classes: int) -> int:
        """How many thresholds the method has for a model of so many classes."""
        return classes if self.method == "lac_class_conditional" else len(self.cuts) + 1


class Abstention(_Statement):
    """All that was decided on held-out data about when the model may answer: the operating points to choose from."""

    out_of_distribution: OutOfDistributionGate = Field(
        description="Which inputs are turned away under every policy but `never_abstain`."
    )
    selective_risk: FailFastList[RiskCertificate] = Field(description="The certified shares of errors.")
    cost_matrix: FailFastList[FailFastList[Annotated[float, Field(ge=0)]]] | None = Field(
        description="cost_matrix[answer][true]: what that answer costs; null: 1 for every wrong answer."
    )
    reject_cost: FailFastList[CostCertificate] = Field(description="The certified costs of an abstention.")
    prediction_sets: FailFastList[PredictionSets] = Field(min_length=1, description="The first is the default.")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        risks = [certificate.selective_risk for certificate in self.selective_risk]
        costs = [certificate.reject_cost for certificate in self.reject_cost]
        sets = [(kind.method, kind.set_coverage) for kind in self.prediction_sets]
        for promised in (risks, costs, sets):
            if len(set(promised)) != len(promised):
                raise ValueError(f"two promises of the same: {promised}")
        if self.cost_matrix is not None and not any(map(any, self.cost_matrix)):
            raise ValueError("cost_matrix has no cost over 0")
        return self
