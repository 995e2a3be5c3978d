"""The bodies of `/feedback`: a true label, and the state of the policies."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.contract.policy import Policy
from service.inference.outcome import ModelRef


class FeedbackRequest(BaseModel):
    """The JSON body of `POST /feedback`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(max_length=200, description="The prediction's id.")
    label: str = Field(max_length=200, description="The true label.")


PromiseStatus = Literal["open", "confirmed", "broken"]


class PolicyFeedback(BaseModel):
    """The state of one policy by feedback. Counts outlive the service where `DEMUR_FEEDBACK_PATH` is set."""

    policy: Annotated[Policy, Field(description="The policy of the predictions.")]
    answered: int = Field(description="Answers with a true label, audited or not.")
    errors: int = Field(description="Wrong answers among them.")
    abstained: int = Field(description="Abstentions with a true label.")
    judged: int = Field(
        description="Answers that risk, bounds and promise are computed from: audited ones, in their order; where "
        "`DEMUR_FEEDBACK_COUNTS` is `all`, those with a true label."
    )
    judged_errors: int = Field(description="Wrong answers among them.")
    missing: int = Field(description="Judged answers whose label did not arrive before the deadline.")
    waiting: int = Field(
        description="Audited answers not judged yet: their own label, or that of an earlier answer, is missing so far."
    )
    selective_risk: float | None = Field(
        description="Share of wrong answers among the judged ones with a label; null while there are none."
    )
    risk_lower_bound: float = Field(
        description="Both bounds hold at all times at once, at the confidence level. A missing label counts as right "
        "here, and as wrong in the upper bound."
    )
    risk_upper_bound: float = Field(description="See risk_lower_bound.")
    confidence_level: float = Field(
        description="Confidence level of the bounds and the promise: the certificate's, or 0.95 without one."
    )
    answer_cost: float | None = Field(
        description="Mean cost of a judged answer with a label; null for policies without a cost."
    )
    promise: PromiseStatus | None = Field(
        description="State of the certificate: `broken` once a sequential test at level 1 - confidence_level rejects "
        "it, `confirmed` while the upper bound is within its promise, otherwise `open`; null without a certificate."
    )
    warning: str | None = Field(description="Why the certificate no longer holds; null if it is not broken.")


class FeedbackResponse(BaseModel):
    """The answer of `GET /feedback`: every policy with feedback."""

    model: Annotated[ModelRef, Field(description="The model that predicted.")]
    policies: list[PolicyFeedback] = Field(description="One entry per policy.")
