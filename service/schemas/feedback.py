"""The wire of `/feedback`: a true label, and how the policies stand."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.policy import Policy
from service.schemas.models import ModelRef


class FeedbackRequest(BaseModel):
    """The JSON body of `POST /feedback`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(max_length=200, description="Of the prediction.")
    label: str = Field(max_length=200, description="The true label.")


PromiseStatus = Literal["open", "confirmed", "broken"]


class PolicyFeedback(BaseModel):
    """What feedback says of one policy since the service started."""

    policy: Annotated[Policy, Field(description="That of the predictions.")]
    answered: int = Field(description="Answers with feedback.")
    errors: int = Field(description="Wrong ones among them.")
    abstained: int = Field(description="Abstentions with feedback.")
    selective_risk: float | None = Field(description="Share of wrong answers; null where there is no answer yet.")
    risk_lower_bound: float = Field(description="The two bounds hold at every look at once, at the confidence level.")
    risk_upper_bound: float = Field(description="See risk_lower_bound.")
    confidence_level: float = Field(description="How sure the bounds are: the certificate's level, or 0.95.")
    answer_cost: float | None = Field(description="Mean cost of an answer; null for the other policies.")
    promise: PromiseStatus | None = Field(
        description="Of the certificate: refuted, confirmed, or neither yet; null where there is none."
    )
    warning: str | None = Field(description="Why the certificate no longer holds; null while it may.")


class FeedbackResponse(BaseModel):
    """The answer of `GET /feedback`: every policy that feedback came for."""

    model: Annotated[ModelRef, Field(description="The model that predicted.")]
    policies: list[PolicyFeedback] = Field(description="One a policy.")
