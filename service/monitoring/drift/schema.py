"""The wire of `/drift`: recent inputs beside the reference."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.inference.outcome import ModelRef


class ReferenceRef(BaseModel):
    """The split that a window is compared with."""

    split: Literal["calibration", "report"] = Field(description="Which split of the training's data.")
    size: int = Field(description="Its inputs.")


DriftStatus = Literal["too_few_inputs", "stable", "slight", "drifted"]


class Verdict(BaseModel):
    """How far the inputs of a window are from the reference in one respect."""

    status: DriftStatus = Field(
        description="Too few inputs until the first window is complete. Stable where the p-value is over 1/30,000. "
        "Otherwise drifted where the index is at least 0.1, and slight under that. A window of inputs like the "
        "reference's is called other than stable, in any of the three respects, with a probability of at most "
        "1/10,000: over any 100 windows the probability of any false alarm is at most 1 %. It depends neither on how "
        "often this is asked, since a window is tested once, nor on restarts."
    )
    psi: float | None = Field(
        description="Population stability index, 0 for equal shares; null until a window is complete."
    )
    p_value: float | None = Field(
        description="How likely two samples of one population are at least so far apart, by an exact test; at least "
        "1/40,000."
    )


class LabelShare(BaseModel):
    """How often a label is the likeliest one, answered or not."""

    label: str | None = Field(description="Null for all others together, where there are many labels.")
    expected: float = Field(description="Share of the reference.")
    observed: float = Field(description="Share of the window; 0 until one is complete.")


class LabelDrift(Verdict):
    """The mix of the likeliest labels."""

    bins: list[LabelShare] = Field(description="One a label.")


class ScoreShare(BaseModel):
    """How often a score lies in a range; null is no limit."""

    at_least: float | None = Field(description="The range's lower end.")
    under: float | None = Field(description="Its upper end, which is not in it.")
    expected: float = Field(description="Share of the reference.")
    observed: float = Field(description="Share of the window; 0 until one is complete.")


class ScoreDrift(Verdict):
    """How a score is distributed."""

    bins: list[ScoreShare] = Field(description="One a range.")


class DriftResponse(BaseModel):
    """The answer of `GET /drift`: the last completed window beside the split that the promises are from."""

    model: Annotated[ModelRef, Field(description="The model that scored them.")]
    inputs: int = Field(description="Inputs of the last completed window, which is compared; 0 until there is one.")
    window: int = Field(
        description="The size that windows grow to, `DEMUR_DRIFT_WINDOW`. The first has 100 inputs, and each further "
        "one twice as many. The request that completes a window belongs to it as a whole."
    )
    window_number: int = Field(description="Which window it is, from 1; 0 until one is complete.")
    inputs_since: int = Field(description="Inputs that came after it: those of the next window so far.")
    reference: Annotated[ReferenceRef, Field(description="What they are compared with.")]
    labels: Annotated[LabelDrift, Field(description="By the likeliest label.")]
    confidence: Annotated[ScoreDrift, Field(description="By the largest probability.")]
    ood_score: Annotated[ScoreDrift, Field(description="By the distance from the training inputs.")]
