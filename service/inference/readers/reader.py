"""The way in: what every kind of input has to be able to do, and the one that fits the loaded model."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from service.contract.errors import UnsupportedType
from service.contract.inputs import FeaturesInput, ImageInput, Kind, TokensInput
from service.inference.readers.body import JSON
from service.inference.readers.features import FeatureReader
from service.inference.readers.images import ImageReader
from service.inference.readers.limits import ReadLimits
from service.inference.readers.multipart import without_boundary
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.tokens import TokenReader


class Reader(Protocol):
    """From what a client sent to the graph's input, `[N, *row_shape]` in the kind's dtype.

    What cannot be read is refused by the exceptions of `errors.py`, and what is too much before it is allocated.
    """

    @property
    def media_types(self) -> tuple[str, ...]:
        """The content types that are taken beside JSON."""
        ...

    @property
    def resizes(self) -> bool:
        """Whether the options `resize` and `invert` mean anything to this kind."""
        ...

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of one element of `inputs`."""
        ...

    @property
    def example(self) -> Any:
        """An element of `inputs` that is taken, for the description."""
        ...

    def with_options(self, options: PictureOptions) -> "Reader":
        """The reader of one request. Raises InvalidValue for an option that this kind does not have."""
        ...

    def from_json(self, inputs: Sequence[object], field: str = "inputs") -> NDArray[Any]:
        """Read the elements of a JSON list; `field` is what the request calls the list, for messages."""
        ...

    def from_body(self, body: bytes, media_type: str) -> NDArray[Any]:
        """Read a body of one of `media_types`."""
        ...

    def from_columns(self, columns: Mapping[str, NDArray[Any]], first_row: int = 0) -> NDArray[Any]:
        """Read N rows of a file of columns, by name; messages count rows from `first_row`.

        What a column's array holds is the kind's affair, and each reader says it.
        """
        ...


def read_other(reader: Reader, options: PictureOptions, body: bytes, media_type: str) -> NDArray[Any]:
    """Read a body that is not JSON. Raises UnsupportedType for a content type that the reader does not take."""
    form = without_boundary(media_type)
    if form in reader.media_types:
        return reader.with_options(options).from_body(body, media_type)
    came = f"content type {form}" if form else "a body without a content type"
    raise UnsupportedType(f"{came} is not taken: {', '.join((JSON, *reader.media_types))} are")


def reader_for(kind: Kind, limits: ReadLimits) -> Reader:
    """The reader of a kind of input."""
    match kind:
        case ImageInput():
            return ImageReader(kind, limits.max_batch_size, limits.max_image_pixels)
        case FeaturesInput():
            return FeatureReader(kind, limits.max_batch_size)
        case TokensInput():
            return TokenReader(kind, limits.max_batch_size)
