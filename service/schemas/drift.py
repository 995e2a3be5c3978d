"""The wire of `/drift`: recent inputs beside the reference."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.schemas.models import ModelRef


class ReferenceRef(BaseModel):
    """The split that recent inputs are compared with."""

    split: Literal["calibration", "report"] = Field(description="Which split of the training's data.")
    size: int = Field(description="Its inputs.")


DriftStatus = Literal["too_few_inputs", "stable", "slight", "drifted"]


class Verdict(BaseModel):
    """How far recent inputs are from the reference in one respect."""

    status: DriftStatus = Field(
        description="Stable where chance would do as much in more than 1 of 300 cases. Otherwise drifted where the "
        "index is at least 0.1, and slight under that."
    )
    psi: float | None = Field(description="Population stability index, 0 for equal shares; null for too few inputs.")
    p_value: float | None = Field(
        description="How likely two samples of one population are at least so far apart, by an exact test of one look."
    )


class LabelShare(BaseModel):
    """How often a label is the likeliest one, answered or not."""

    label: str | None = Field(description="Null for all others together, where there are many labels.")
    expected: float = Field(description="Share of the reference.")
    observed: float = Field(description="Share of the latest inputs.")


class LabelDrift(Verdict):
    """The mix of the likeliest labels."""

    bins: list[LabelShare] = Field(description="One a label.")


class ScoreShare(BaseModel):
    """How often a score lies in a range; null is no limit."""

    at_least: float | None = Field(description="The range's lower end.")
    under: float | None = Field(description="Its upper end, which is not in it.")
    expected: float = Field(description="Share of the reference.")
    observed: float = Field(description="Share of the latest inputs.")


class ScoreDrift(Verdict):
    """How a score is distributed."""

    bins: list[ScoreShare] = Field(description="One a range.")


class DriftResponse(BaseModel):
    """The answer of `GET /drift`: the latest inputs beside the split that the promises are from."""

    model: Annotated[ModelRef, Field(description="The model that scored them.")]
    inputs: int = Field(description="How many are compared: the latest, at most `window`.")
    window: int = Field(description="How many are remembered: `DEMUR_DRIFT_WINDOW`.")
    reference: Annotated[ReferenceRef, Field(description="What they are compared with.")]
    labels: Annotated[LabelDrift, Field(description="By the likeliest label.")]
    confidence: Annotated[ScoreDrift, Field(description="By the largest probability.")]
    ood_score: Annotated[ScoreDrift, Field(description="By the distance from the training inputs.")]
