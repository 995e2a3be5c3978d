"""The answer of `/drift`: recent inputs compared with the reference."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.inference.outcome import ModelRef


class ReferenceRef(BaseModel):
    """The split that a window is compared with."""

    split: Literal["calibration", "report"] = Field(description="The split of the training data.")
    size: int = Field(description="Number of its inputs.")


DriftStatus = Literal["too_few_inputs", "stable", "slight", "drifted"]


class Verdict(BaseModel):
    """The distance of a window from the reference in one distribution."""

    status: DriftStatus = Field(
        description="`too_few_inputs` until the first window is complete; `stable` if the p-value is over 1/30,000; "
        "otherwise `drifted` if the index is at least 0.1, else `slight`. A window of inputs like the reference's is "
        "not called stable, in any of the three distributions, with a probability of at most 1/10,000: over any 100 "
        "windows the probability of a false alarm is at most 1 %. This depends neither on how often `/drift` is read, "
        "since a window is tested once, nor on restarts."
    )
    psi: float | None = Field(
        description="Population stability index, 0 for equal shares; null until a window is complete."
    )
    p_value: float | None = Field(
        description="The probability that two samples of one population differ at least this much, by an exact test; "
        "at least 1/40,000."
    )


class LabelShare(BaseModel):
    """How often a label is the most probable one, answered or abstained."""

    label: str | None = Field(description="Null for all other labels together, where there are many.")
    expected: float = Field(description="Share of the reference.")
    observed: float = Field(description="Share of the window; 0 until one is complete.")


class LabelDrift(Verdict):
    """The distribution of the most probable labels."""

    bins: list[LabelShare] = Field(description="One entry per label.")


class ScoreShare(BaseModel):
    """How often a score lies in a range; null means unbounded."""

    at_least: float | None = Field(description="The range's lower end.")
    under: float | None = Field(description="Its upper end, which is excluded.")
    expected: float = Field(description="Share of the reference.")
    observed: float = Field(description="Share of the window; 0 until one is complete.")


class ScoreDrift(Verdict):
    """The distribution of a score."""

    bins: list[ScoreShare] = Field(description="One entry per range.")


class DriftResponse(BaseModel):
    """The answer of `GET /drift`: the last complete window, compared with the split that the promises come from."""

    model: Annotated[ModelRef, Field(description="The model that scored the inputs.")]
    inputs: int = Field(description="Inputs of the last complete window, which is compared; 0 until there is one.")
    window: int = Field(
        description="The size that windows grow to, `DEMUR_DRIFT_WINDOW`. The first has 100 inputs, and each later one "
        "twice as many. The request that completes a window belongs to it entirely."
    )
    window_number: int = Field(description="The number of the window, from 1; 0 until one is complete.")
    inputs_since: int = Field(description="Later inputs: those of the next window so far.")
    reference: Annotated[ReferenceRef, Field(description="The reference of the comparison.")]
    labels: Annotated[LabelDrift, Field(description="By the most probable label.")]
    confidence: Annotated[ScoreDrift, Field(description="By the largest probability.")]
    ood_score: Annotated[ScoreDrift, Field(description="By the distance from the training inputs.")]
