"""Certificates: when a model may answer, and the evidence for it, as the training job writes them to the manifest.

Each certificate is self-contained: the promise, its confidence level, the numbers behind it, and the population that it
holds for. A promise is about inputs drawn as the calibration split was; for other inputs it is void.
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
        description="The minimum probability, over draws of the calibration split, that the promise holds."
    )
    p_value: Probability | None = Field(
        description="The p-value of the hypothesis that the promise is broken; null if untested."
    )
    method: str = Field(description="How the rule was chosen.")
    unit: Literal["row", "group"] = Field(
        description="What the test assumes to be independent: rows, or groups of rows, such as patients."
    )
    test: RiskTest = Field(
        description="The exact binomial tail of the errors; betting against the hypothesis, on groups or on the costs "
        "of rows; or the binomial tail of one random row from each group."
    )
    groups: Annotated[int, Field(ge=0)] | None = Field(description="The number of groups tested; null for rows.")
    largest_group: Annotated[int, Field(ge=1)] | None = Field(
        description="The maximum number of rows counted in a group; a larger group is sampled at random. Null for rows."
    )
    population: str = Field(
        description="The population that the calibration split was drawn from, and the promise is about."
    )
    size: Count = Field(description="The number of calibration rows tested.")
    tune_fingerprint: Sha256 = Field(description="The fingerprint of the split on which the rule was fixed beforehand.")
    calibration_fingerprint: Sha256 = Field(description="The fingerprint of the split on which it was tested.")

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
    """At most `selective_risk` of the answers are wrong. An input is answered if confidence >= threshold and not OOD.

    `infeasible`: no threshold passed, and every other number is null; the model then always abstains.
    """

    selective_risk: OpenShare = Field(description="The maximum share of errors among the answers.")
    family: int = Field(
        ge=1,
        description="How many selective risks hold together at the confidence level; 1: each holds by itself.",
    )
    threshold: Probability | None = Field(description="The minimum confidence of an answer.")
    answered: Count | None = Field(description="The number of calibration examples answered.")
    errors: Count | None = Field(description="The number of errors among them.")
    risk_bound: Probability | None = Field(description="The upper bound of the selective risk, by the same test.")
    coverage: Probability | None = Field(description="The share of the calibration split that is answered.")

    @property
    def error(self) -> float:
        """The largest p-value that is certified: each member of a family has its share (Bonferroni)."""
        return (1 - self.confidence_level) / self.family

    @model_validator(mode="after")
    def _complete(self) -> Self:
        numbers = (self.threshold, self.answered, self.errors, self.risk_bound, self.coverage)
        if any((number is None) != (self.status == "infeasible") for number in numbers):
            raise ValueError(f"a certificate that is {self.status} must have all or none of its numbers")
        if self.errors is not None and self.answered is not None and not self.errors <= self.answered <= self.size:
            raise ValueError(
                f"{self.errors} errors among {self.answered} answers to {self.size} examples is impossible"
            )
        if self.risk_bound is not None and self.risk_bound > self.selective_risk:
            raise ValueError(f"selective_risk {self.selective_risk} is certified, but the bound is {self.risk_bound}")
        return self

    def policy(self) -> SelectiveRiskPolicy:
        """The policy that keeps this promise."""
        return SelectiveRiskPolicy(
            selective_risk=self.selective_risk, confidence_level=self.confidence_level, threshold=self.threshold
        )


class CostCertificate(_Certificate):
    """An answer costs at most `reject_cost` on average, so answering pays. Answers are those of least expected cost.

    `infeasible`: the observed costs do not confirm it; the model then always abstains.
    """

    reject_cost: float = Field(gt=0, description="The cost of an abstention.")
    answered: Count = Field(description="The number of calibration examples answered.")
    coverage: Probability = Field(description="The share of the calibration split that is answered.")
    answer_cost: float | None = Field(ge=0, description="The mean observed cost of an answer; null if there was none.")
    answer_cost_bound: float = Field(ge=0, description="The upper bound of that mean, at the confidence level.")
    expected_cost: float = Field(ge=0, description="The mean observed cost of an input, abstentions included.")

    @model_validator(mode="after")
    def _pays(self) -> Self:
        if self.status == "certified" and self.answer_cost_bound > self.reject_cost:
            raise ValueError(f"reject_cost {self.reject_cost} is certified, but the bound is {self.answer_cost_bound}")
        return self

    def policy(self) -> RejectCostPolicy:
        """The policy that keeps this promise."""
        return RejectCostPolicy(
            reject_cost=self.reject_cost,
            confidence_level=self.confidence_level,
            answer_cost_bound=self.answer_cost_bound if self.status == "certified" else None,
        )


class OutOfDistributionGate(_Statement):
    """The gate: an input is in distribution if `ood_score` <= threshold."""

    threshold: float = Field(description="The maximum `ood_score` of an answer.")
    false_alarm_rate: OpenShare = Field(
        description="The maximum share of in-distribution inputs for which the model abstains."
    )
    asked_false_alarm_rate: OpenShare = Field(
        description="The target. Lower than false_alarm_rate if tune is too small to promise it."
    )
    confidence_level: OpenShare = Field(
        description="The minimum probability, over draws of `tune`, that the rate holds."
    )
    components: int = Field(ge=1, description="The number of principal components of the training inputs.")
    explained_variance: Probability = Field(description="The share of the inputs' variance along the components.")
    order_statistic: int = Field(
        ge=1, description="The rank of the threshold among the scores on `tune`, in rising order."
    )
    size: int = Field(ge=1, description="The number of examples in `tune`.")
    method: str = Field(description="How the threshold was set.")
    population: str = Field(description="The population that `tune` was drawn from.")
    tune_fingerprint: Sha256 = Field(description="The fingerprint of the split that the threshold is from.")


class PredictionSets(_Statement):
    """The set of classes with probability >= threshold holds the true class in at least `set_coverage` of cases.

    `lac` has one threshold, `lac_class_conditional` one for each class, `by_decision` one for each cell. The cell of an
    input is the number of cuts <= its confidence, and 0 if it is out of distribution. With a threshold for each class
    or cell, the promise holds in each of them.
    """

    set_coverage: OpenShare = Field(description="The minimum share of sets that hold the true label.")
    method: SetMethod = Field(description="Where the promise holds: in each cell, over all inputs, or in each class.")
    cuts: FailFastList[Probability] = Field(
        default_factory=list, description="The confidences between the cells, in rising order; only for by_decision."
    )
    thresholds: FailFastList[Probability] = Field(
        min_length=1,
        description="One, one for each cell in order of confidence, or one for each class; 0 for too little data.",
    )
    order_statistics: FailFastList[int] = Field(
        description="The rank of each threshold, in falling order, among the probabilities of the true classes."
    )
    sizes: FailFastList[int] = Field(description="The number of calibration examples behind each threshold.")
    population: str = Field(
        description="The population that the calibration split was drawn from, and the promise is about."
    )
    calibration_fingerprint: Sha256 = Field(description="The fingerprint of the split that the thresholds are from.")

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if not len(self.thresholds) == len(self.order_statistics) == len(self.sizes):
            raise ValueError("thresholds, order_statistics and sizes must have the same length")
        if bool(self.cuts) != (self.method == "by_decision"):
            raise ValueError(f"method {self.method} with {len(self.cuts)} cuts")
        if any(high <= low for low, high in pairwise(self.cuts)):
            raise ValueError("cuts must rise")
        return self

    def expected_thresholds(self, classes: int) -> int:
        """The number of thresholds of the method, for a model of this many classes."""
        return classes if self.method == "lac_class_conditional" else len(self.cuts) + 1


class Abstention(_Statement):
    """What was certified on held-out data about when the model may answer."""

    out_of_distribution: OutOfDistributionGate = Field(
        description="The gate: out of distribution, the model abstains under every policy but `never_abstain`."
    )
    selective_risk: FailFastList[RiskCertificate] = Field(description="The certificates for selective risks.")
    cost_matrix: FailFastList[FailFastList[Annotated[float, Field(ge=0)]]] | None = Field(
        description="cost_matrix[answer][true] is the cost of that answer; null: 1 for every error."
    )
    reject_cost: FailFastList[CostCertificate] = Field(description="The certificates for costs of an abstention.")
    prediction_sets: FailFastList[PredictionSets] = Field(min_length=1, description="The first is the default.")

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        risks = [certificate.selective_risk for certificate in self.selective_risk]
        costs = [certificate.reject_cost for certificate in self.reject_cost]
        sets = [(kind.method, kind.set_coverage) for kind in self.prediction_sets]
        for promised in (risks, costs, sets):
            if len(set(promised)) != len(promised):
                raise ValueError(f"duplicate promises: {promised}")
        if self.cost_matrix is not None and not any(map(any, self.cost_matrix)):
            raise ValueError("cost_matrix has no cost over 0")
        return self
