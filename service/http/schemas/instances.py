"""The bodies of `/v1`, besides the answers of `/predict` and `/explain`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.inference.explanations import MAX_EXPLAINED


class InstancesRequest(BaseModel):
    """The JSON body of `:predict`. Other keys are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)

    # Read, and described in `/openapi.json`, by the model's reader.
    instances: list[Any] = Field(description="As `inputs` of `/predict`.", json_schema_extra={"minItems": 1})
    parameters: dict[str, Any] | None = Field(None, description="The options, under their names in a query string.")


class ExplainInstancesRequest(InstancesRequest):
    """The JSON body of `:explain`. Other keys are ignored."""

    instances: list[Any] = Field(
        description="As `inputs` of `/explain`.", json_schema_extra={"minItems": 1, "maxItems": MAX_EXPLAINED}
    )


class ModelNames(BaseModel):
    """The models, ready or not."""

    models: list[str] = Field(description="Their names.")
