"""The wire of `/models` and of the probes."""

from typing import Literal

from pydantic import BaseModel, Field


class ServedModelEntry(BaseModel):
    """A model of the service."""

    name: str = Field(description="Its routes stand under `/models/{name}`.")
    ready: bool = Field(description="False for a file that did not pass its proof: the log says why.")
    version: str | None = Field(description="Null where it is not ready.")
    kind: str | None = Field(description="What it takes: image, features or tokens; null where it is not ready.")
    default: bool = Field(description="Whether the routes without a name are this model's.")


class ModelsResponse(BaseModel):
    """The answer of `GET /models`."""

    models: list[ServedModelEntry] = Field(description="All that there are, ready or not.")


class Status(BaseModel):
    """The body of a probe."""

    status: Literal["live", "ready"] = Field(description="What holds.")
