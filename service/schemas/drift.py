"""The wire of `/drift`: recent inputs beside the reference."""

from typing import Literal

from pydantic import BaseModel, Field

from service.schemas.models import ModelRef


class ReferenceRef(BaseModel):
    """The split that recent inputs are compared with."""

    split: Literal["calibration", "report"]
    size: int


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
    expected: float
    observed: float


class LabelDrift(Verdict):
    """The mix of the likeliest labels."""

    bins: list[LabelShare]


class ScoreShare(BaseModel):
    """How often a score lies in a range; null is no limit."""

    at_least: float | None
    under: float | None
    expected: float
    observed: float


class ScoreDrift(Verdict):
    """How a score is distributed."""

    bins: list[ScoreShare]


class DriftResponse(BaseModel):
    """The answer of `GET /drift`: the latest inputs beside the split that the promises are from."""

    model: ModelRef
    inputs: int = Field(description="How many are compared: the latest, at most `window`.")
    window: int
    reference: ReferenceRef
    labels: LabelDrift
    confidence: ScoreDrift
    ood_score: ScoreDrift
