"""How a model was fitted: the settings of the fit, and the form of its logits."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.contract.fail_fast_list import FailFastList


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Lift(_Part):
    """Products of principal coordinates, which the logits add to the linear map."""

    kind: Literal["quadratic"] = Field("quadratic", description="All products of two coordinates.")
    components: int = Field(ge=1, description="K, the number of principal coordinates that are multiplied.")


class Tried(_Part):
    """Settings that were tried, and how good they were."""

    lift: int = Field(ge=0, description="Principal coordinates that were multiplied; 0 for no lift.")
    augment: Literal["none", "shift"] = Field(description="As in `Training`.")
    weight_decay: float = Field(ge=0, description="The best of its path, as in `Training`.")
    short: bool = Field(False, description="Whether the fit was ended early, to compare it with other short ones.")
    loss: float | None = Field(ge=0, description="The mean cross-entropy on rows not trained on; null if it diverged.")
    standard_error: float | None = Field(
        ge=0, description="Of the loss less that of the chosen settings, row by row; null for these themselves."
    )
    edge: Literal["strongest", "weakest"] | None = Field(
        None, description="Where the weight decay is the strongest or the weakest of its path; null between them."
    )


class Selection(_Part):
    """How the recipe `auto` chose the settings."""

    method: Literal["cross-validation", "tune"] = Field(
        description="Cross-validation over train and tune together for few rows; else the loss on tune."
    )
    rows: int = Field(ge=1, description="The number of rows that the losses are means of.")
    tried: FailFastList[Tried] = Field(min_length=1, description="In the order in which they were tried.")
    chosen: int = Field(ge=0, description="The index of the chosen settings in `tried`.")

    @model_validator(mode="after")
    def _chosen_was_tried(self) -> Self:
        if self.chosen >= len(self.tried):
            raise ValueError(f"chosen is {self.chosen}, but {len(self.tried)} settings were tried")
        return self


class Training(_Part):
    """The settings of the fit, and the epoch that was kept."""

    recipe: Literal["chapter", "tuned", "auto", "next-token"] = Field(
        description="The recipe that the settings are based on."
    )
    optimizer: Literal["sgd", "adam", "lbfgs"] = Field(
        "sgd",
        description="For adam, momentum is the decay of the first moment. For lbfgs, each epoch is a step on all rows, "
        "and learning rate and momentum have no effect.",
    )
    epochs: int = Field(ge=1, description="Passes over the training split.")
    batch_size: int = Field(ge=1, description="The number of examples in a minibatch.")
    learning_rate: float = Field(gt=0, description="The maximum learning rate.")
    momentum: float = Field(ge=0, lt=1, description="0 for none.")
    weight_decay: float = Field(ge=0, description="Applied to the weights, not the biases.")
    schedule: Literal["constant", "cosine"] = Field(description="The schedule of the learning rate.")
    clip_norm: float | None = Field(gt=0, description="The maximum norm of a gradient; null for no limit.")
    keep: Literal["last", "best"] = Field(
        description="The epoch whose weights are kept: the last, or the one of lowest tune loss."
    )
    lift: int = Field(
        0, ge=0, description="The number of principal coordinates that were asked for, to multiply; 0 for no lift."
    )
    augment: Literal["none", "shift"] = Field(
        "none", description="What was done to the pictures of a minibatch: shift moves them by a pixel."
    )
    seed: int = Field(ge=0, description="The seed of all random draws.")
    device: Literal["cpu", "cuda"] = Field(description="The device of the fit.")
    precision: Literal["float32", "float64"] = Field(
        description="The precision of the fit. The weights in the file are float32."
    )
    processes: int = Field(ge=1, description="The number of processes that shared the fit.")
    best_epoch: int = Field(ge=1, description="The epoch whose weights are in the file, counted from 1.")
    selection: Selection | None = Field(None, description="How the settings were chosen; null if they were given.")
