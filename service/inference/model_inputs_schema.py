"""The wire of `POST /inputs` and `GET /samples`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.http.schemas.predict import Options

MOST_SHOWN = 16  # inputs: of a picture the numbers take some times the bytes of its file


class InputsQuery(BaseModel):
    """The options of a body that is not JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resize: bool = Field(False, description=Options.model_fields["resize"].description)
    invert: bool = Field(False, description=Options.model_fields["invert"].description)


class InputsRequest(InputsQuery):
    """The JSON body of `POST /inputs`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    inputs: list[Any] = Field(
        description="As for `/predict`.", json_schema_extra={"minItems": 1, "maxItems": MOST_SHOWN}
    )


class InputsResponse(BaseModel):
    """Inputs as the model sees them. It is a body that `/predict` and `/explain` take."""

    inputs: list[Any] = Field(
        description="In the plainest form that `/predict` takes: pixels, objects by column name, numbers, tokens."
    )
