"""The wire of `/v1` as `/openapi.json` describes it; `answering/instances.py` reads it."""

from typing import Any

from pydantic import BaseModel, Field


class ModelNames(BaseModel):
    """Which models there are."""

    models: list[str] = Field(description="Their names, whether they are ready or not.")


class InstancesRequest(BaseModel):
    """The JSON body of `:predict` and `:explain`."""

    instances: list[Any] = Field(min_length=1, description="As the `inputs` of `/predict`.")
    parameters: dict[str, Any] | None = Field(None, description="Options, by their names in a query string.")
