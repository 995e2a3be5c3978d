"""Inputs as the model sees them: those of a request, and the samples that its file brings."""

from typing import Any, TypeVar

from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from service.contract.errors import InvalidValue, TooLarge
from service.contract.validation import validated
from service.inference.options import Options
from service.inference.predictor import Predictor
from service.inference.readers.as_sent import as_sent
from service.inference.readers.body import JSON
from service.inference.readers.json_body import json_object
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.reader import read_other

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


_Options = TypeVar("_Options", bound=InputsQuery)


def read(
    predictor: Predictor, body: bytes, media_type: str, query: _Options, whole: type[_Options]
) -> tuple[_Options, NDArray[Any]]:
    """The options and the inputs of one request; `whole` is what a JSON body holds, its inputs among it.

    Raises the RequestError that says what is wrong with it.
    """
    if media_type != JSON:
        return query, read_other(predictor.reader, PictureOptions(query.resize, query.invert), body, media_type)
    if query.model_fields_set:
        raise InvalidValue("query", " string: with a JSON body the options belong in the body")
    sent = json_object(body, "inputs")
    options = validated(whole, sent)
    reader = predictor.reader.with_options(PictureOptions(options.resize, options.invert))
    return options, reader.from_json(sent["inputs"])


def seen(predictor: Predictor, body: bytes, media_type: str, query: InputsQuery) -> InputsResponse:
    """Read one request and show its inputs. Raises the RequestError that says what is wrong with it."""
    _, inputs = read(predictor, body, media_type, query, InputsRequest)
    if len(inputs) > MOST_SHOWN:
        raise TooLarge(f"there are {len(inputs)} inputs: at most {MOST_SHOWN} are shown in one request")
    return InputsResponse(inputs=as_sent(predictor.classifier.manifest.input, inputs))


def samples(predictor: Predictor) -> InputsResponse:
    """The first of the file's golden vectors."""
    manifest = predictor.classifier.manifest
    inputs = manifest.golden.decoded_inputs(manifest.input)[:MOST_SHOWN]
    return InputsResponse(inputs=as_sent(manifest.input, inputs))
