"""The bodies of `/models` and of the probes."""

from typing import Literal

from pydantic import BaseModel, Field


class ServedModelEntry(BaseModel):
    """A model of the service."""

    name: str = Field(description="Its routes are under `/models/{name}`.")
    ready: bool = Field(description="False for a file that did not pass its proof; the log says why.")
    version: str | None = Field(description="Null if the model is not ready.")
    kind: str | None = Field(
        description="Kind of its inputs: image, features or tokens; null if the model is not ready."
    )
    default: bool = Field(description="Whether the routes without a model name use this model.")


class ModelsResponse(BaseModel):
    """The answer of `GET /models`."""

    models: list[ServedModelEntry] = Field(description="All models, ready or not.")


class Status(BaseModel):
    """The body of a probe."""

    status: Literal["live", "ready"] = Field(description="The state that the probe confirms.")
