"""The interface of the readers, and the choice of a reader for a model."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from service.contract.errors import InvalidValue, RequestError, UnsupportedType
from service.contract.inputs import FeaturesInput, ImageInput, Kind, TokensInput
from service.inference.readers.body import JSON
from service.inference.readers.features import FeatureReader
from service.inference.readers.images import ImageReader
from service.inference.readers.limits import ReadLimits
from service.inference.readers.multipart import without_boundary
from service.inference.readers.picture_formats import OTHER_NAMES
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.tokens import TokenReader


class Reader(Protocol):
    """Reads inputs of one kind into the graph's input, `[N, *row_shape]` in the kind's dtype.

    Raises a RequestError for inputs that are invalid, and for too many before memory is allocated for them.
    """

    @property
    def media_types(self) -> tuple[str, ...]:
        """The accepted content types besides JSON."""
        ...

    @property
    def resizes(self) -> bool:
        """Whether PictureOptions apply to this kind."""
        ...

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of one element of `inputs`."""
        ...

    @property
    def example(self) -> Any:
        """A valid element of `inputs`, for the API description."""
        ...

    def with_options(self, options: PictureOptions) -> "Reader":
        """The reader for one request. Raises InvalidValue for an option that does not apply to this kind."""
        ...

    def from_json(self, inputs: Sequence[object], field: str = "inputs") -> NDArray[Any]:
        """Read a JSON list; `field` is its name in messages."""
        ...

    def from_body(self, body: bytes, media_type: str) -> NDArray[Any]:
        """Read a body of one of `media_types`."""
        ...

    def from_columns(self, columns: Mapping[str, NDArray[Any]], first_row: int = 0) -> NDArray[Any]:
        """Read N rows from arrays by column name; messages count rows from `first_row`.

        Each reader documents the arrays that it takes.
        """
        ...

    def unknown_categories(self, inputs: NDArray[Any]) -> Sequence[Sequence[str]] | None:
        """For each of N inputs, the columns whose value is no category of the model's; None if there are none."""
        ...


def read_json(reader: Reader, inputs: Sequence[object], field: str = "inputs") -> NDArray[Any]:
    """Read the list of inputs in a JSON body; `field` is its name in messages."""
    try:
        return reader.from_json(inputs, field)
    except RequestError:
        if _is_one_input(reader, inputs):
            raise InvalidValue(field, " is one input: it must be a list of inputs, [...] around this one too") from None
        raise


def _is_one_input(reader: Reader, value: Sequence[object]) -> bool:
    try:
        reader.from_json([value])
    except RequestError:
        return False
    return True


def read_other(reader: Reader, options: PictureOptions, body: bytes, media_type: str) -> NDArray[Any]:
    """Read a body that is not JSON. Raises UnsupportedType for a content type that the reader does not accept."""
    media_type = OTHER_NAMES.get(media_type, media_type)
    form = without_boundary(media_type)
    if form in reader.media_types:
        return reader.with_options(options).from_body(body, media_type)
    description = f"content type {form}" if form else "a body without a content type"
    raise UnsupportedType(f"{description} is not supported: use one of {', '.join((JSON, *reader.media_types))}")


def reader_for(kind: Kind, limits: ReadLimits) -> Reader:
    """The reader of a kind of input."""
    match kind:
        case ImageInput():
            return ImageReader(kind, limits.max_batch_size, limits.max_image_pixels)
        case FeaturesInput():
            return FeatureReader(kind, limits.max_batch_size)
        case TokensInput():
            return TokenReader(kind, limits.max_batch_size)
