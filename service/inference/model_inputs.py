"""Inputs as the model sees them: those of a request, and the samples in the model's file."""

from typing import Any, TypeVar

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from service.contract.errors import InvalidValue, TooLarge
from service.contract.validation import validated
from service.inference.options import Options
from service.inference.predictor import Predictor
from service.inference.readers.as_json import inputs_as_json
from service.inference.readers.body import JSON
from service.inference.readers.json_body import json_object
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.reader import read_json, read_other

MAX_PREPROCESSED = 16  # inputs in a request: the pixels of a picture take more bytes than its file


class InputsQuery(BaseModel):
    """The options of a body that is not JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    resize: bool = Field(False, description=Options.model_fields["resize"].description)
    invert: bool = Field(False, description=Options.model_fields["invert"].description)


class InputsRequest(InputsQuery):
    """The JSON body of `POST /inputs`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    inputs: list[Any] = Field(
        description="As for `/predict`.", json_schema_extra={"minItems": 1, "maxItems": MAX_PREPROCESSED}
    )


class InputsResponse(BaseModel):
    """Inputs as the model sees them. `/predict` and `/explain` take it as a body."""

    inputs: list[Any] = Field(
        description="In the plainest form that `/predict` takes: pixels, objects by column name, numbers, tokens."
    )


_Options = TypeVar("_Options", bound=InputsQuery)


def read_request(
    predictor: Predictor, body: bytes, media_type: str, query: _Options, json_schema: type[_Options]
) -> tuple[_Options, NDArray[Any]]:
    """The options and the inputs of one request; `json_schema` describes a JSON body, including its `inputs`.

    Raises a RequestError that names what is wrong.
    """
    if media_type != JSON:
        return query, read_other(predictor.reader, PictureOptions(query.resize, query.invert), body, media_type)
    if query.model_fields_set:
        raise InvalidValue("query", " string: with a JSON body the options belong in the body")
    values = json_object(body, "inputs")
    options = validated(json_schema, values)
    reader = predictor.reader.with_options(PictureOptions(options.resize, options.invert))
    return options, read_json(reader, values["inputs"])


def preprocess(predictor: Predictor, body: bytes, media_type: str, query: InputsQuery) -> InputsResponse:
    """The inputs of one request as the model sees them. Raises a RequestError that names what is wrong."""
    _, inputs = read_request(predictor, body, media_type, query, InputsRequest)
    if len(inputs) > MAX_PREPROCESSED:
        raise TooLarge(f"there are {len(inputs)} inputs: at most {MAX_PREPROCESSED} are shown in one request")
    return InputsResponse(inputs=inputs_as_json(predictor.classifier.manifest.input, inputs))


def samples(predictor: Predictor) -> InputsResponse:
    """The first inputs of the file's golden vectors."""
    manifest = predictor.classifier.manifest
    inputs = manifest.golden.decoded_inputs(manifest.input)[:MAX_PREPROCESSED]
    return InputsResponse(inputs=inputs_as_json(manifest.input, inputs))
