"""The wire of `/v1`, beside what `/predict` and `/explain` answer."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.inference.explanations import MAX_EXPLAINED


class InstancesRequest(BaseModel):
    """The JSON body of `:predict`. Other keys are passed over."""

    model_config = ConfigDict(strict=True, frozen=True)

    # Looked at by the model's reader, and described by it in `/openapi.json`.
    instances: list[Any] = Field(description="As `inputs` of `/predict`.", json_schema_extra={"minItems": 1})
    parameters: dict[str, Any] | None = Field(
        None, description="The options, with the names that they have in a query string."
    )


class ExplainInstancesRequest(InstancesRequest):
    """The JSON body of `:explain`. Other keys are passed over."""

    instances: list[Any] = Field(
        description="As `inputs` of `/explain`.", json_schema_extra={"minItems": 1, "maxItems": MAX_EXPLAINED}
    )


class ModelNames(BaseModel):
    """The models, ready or not."""

    models: list[str] = Field(description="Their names.")
