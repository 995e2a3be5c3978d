"""The wire of `/feedback`: a true label, and how the policies stand."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.contract.policy import Policy
from service.inference.outcome import ModelRef


class FeedbackRequest(BaseModel):
    """The JSON body of `POST /feedback`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(max_length=200, description="Of the prediction.")
    label: str = Field(max_length=200, description="The true label.")


PromiseStatus = Literal["open", "confirmed", "broken"]


class PolicyFeedback(BaseModel):
    """What feedback says of one policy. Counts outlive the service where `DEMUR_FEEDBACK_PATH` is set."""

    policy: Annotated[Policy, Field(description="That of the predictions.")]
    answered: int = Field(description="Answers whose label came, audited or not.")
    errors: int = Field(description="Wrong ones among them.")
    abstained: int = Field(description="Abstentions whose label came.")
    judged: int = Field(
        description="Answers that risk, bounds and promise rest on: audited ones, in the order in which they were "
        "given; where `DEMUR_FEEDBACK_COUNTS` is `all`, those whose label came."
    )
    judged_errors: int = Field(description="Wrong ones among them.")
    missing: int = Field(description="Those among the judged whose label did not come before the deadline.")
    waiting: int = Field(
        description="Audited answers that are not judged yet: theirs or an earlier one's label is due."
    )
    selective_risk: float | None = Field(
        description="Share of wrong answers among the judged ones with a label; null where there is none."
    )
    risk_lower_bound: float = Field(
        description="The two bounds hold at every look at once, at the confidence level. A missing label counts as "
        "right here, and as wrong in the upper bound."
    )
    risk_upper_bound: float = Field(description="See risk_lower_bound.")
    confidence_level: float = Field(
        description="Of the bounds and the promise: the certificate's, or 0.95 where there is none."
    )
    answer_cost: float | None = Field(
        description="Mean cost of a judged answer with a label; null for the other policies."
    )
    promise: PromiseStatus | None = Field(
        description="Of the certificate: `broken` once a sequential test at level 1 - confidence_level rejects it, "
        "`confirmed` where the upper bound is at most what it promises, or `open`; null where there is none."
    )
    warning: str | None = Field(description="Why the certificate no longer holds; null while it may.")


class FeedbackResponse(BaseModel):
    """The answer of `GET /feedback`: every policy that feedback came for."""

    model: Annotated[ModelRef, Field(description="The model that predicted.")]
    policies: list[PolicyFeedback] = Field(description="One a policy.")
