"""How a model was fitted: the settings of the fit, and the form of its logits."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Lift(_Part):
    """Products of principal coordinates, which the logits add to the linear map."""

    kind: Literal["quadratic"] = Field("quadratic", description="All products of two coordinates.")
    components: int = Field(ge=1, description="K, the number of principal coordinates that are multiplied.")


class Training(_Part):
    """The settings of the fit, and the epoch that was kept."""

    recipe: Literal["chapter", "tuned", "auto", "next-token"] = Field(
        description="The recipe that the settings are based on."
    )
    optimizer: Literal["sgd", "adam", "lbfgs"] = Field(
        "sgd", description="For adam, momentum is the decay of the first moment."
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
