"""The kinds of input of a model: a union, discriminated by `kind`.

Each kind has the shape and the element type of one input. A new kind joins the union `Input` here, gets a reader in
`service/inference/readers/`, and an encoder in `training/data/encoders/`.
"""

import re
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from service.contract.fail_fast_list import FailFastList

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]

_BOOLEANS = {"true": ("true", "True", "TRUE"), "false": ("false", "False", "FALSE")}
_BOOLEAN_TEXTS = {text: name for name, texts in _BOOLEANS.items() for text in texts}
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)(\.0)?")


def boolean_text(text: str) -> str:
    """`true` or `false` for any of their spellings, other text as it is.

    >>> boolean_text("True"), boolean_text("FALSE"), boolean_text("yes")
    ('true', 'false', 'yes')
    """
    return _BOOLEAN_TEXTS.get(text, text)


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ImageInput(_Kind):
    """Images of one size, uint8 `[N, height, width]`, or `[N, height, width, 3]` for RGB; 0 = black, 255 = white."""

    kind: Literal["image"] = Field("image", description="Pictures.")
    name: Literal["images"] = Field("images", description="The name of the graph's input.")
    height: int = Field(ge=1, description="Rows of pixels.")
    width: int = Field(ge=1, description="Pixels in a row.")
    channels: Literal[1, 3] = Field(1, description="1 for grey, 3 for red, green and blue.")
    foreground: Literal["light on dark", "dark on light"] | None = Field(
        "light on dark", description="The training images; null if unknown."
    )

    @property
    def values(self) -> int:
        """Numbers in one image, each a byte."""
        return self.height * self.width * self.channels

    @property
    def in_words(self) -> str:
        """The rule for one input in a column of many, for messages."""
        return f"a picture is bytes, a picture file or {self.values} pixels, or a list of {self.values} uint8"

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one input: the graph's input without its batch axis."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, self.channels)

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """The element type of the graph's input."""
        return np.dtype(np.uint8)


class Column(_Kind):
    """One column of a table: numbers or categories."""

    name: Name = Field(description="Its name in requests.")
    categories: FailFastList[str] | None = Field(
        None,
        description="In the order of their codes in the graph's input, from 0; null for a column of numbers. Any other "
        "value has code -1 and no weight.",
    )

    @model_validator(mode="after")
    def _one_code_a_category(self) -> Self:
        if self.categories is not None and len(set(self.categories)) != len(self.categories):
            raise ValueError(f"the categories of {self.name} must differ from one another")
        return self

    def codes(self) -> dict[str, int]:
        """The code of every text that stands for a category: the category itself, and other spellings of one value.

        Any spelling stands for a boolean, and 1.0 for 1 and the reverse, unless it is a category of its own.

        >>> Column(name="smoker", categories=["true"]).codes()
        {'true': 0, 'True': 0, 'TRUE': 0}
        >>> Column(name="ward", categories=["1", "02"]).codes()
        {'1': 0, '02': 1, '1.0': 0}
        """
        codes = {name: code for code, name in enumerate(self.categories or ())}
        for name, code in list(codes.items()):
            for other in _BOOLEANS.get(boolean_text(name), ()):
                codes.setdefault(other, code)
            if _WHOLE.fullmatch(name):
                codes.setdefault(name.removesuffix(".0") if name.endswith(".0") else f"{name}.0", code)
        return codes


class FeaturesInput(_Kind):
    """Rows of numbers, float32 `[N, width]`: the columns of a table, or an embedding.

    The values are raw: the graph standardises numbers and expands categories.
    """

    kind: Literal["features"] = Field("features", description="Rows of numbers.")
    name: Literal["features"] = Field("features", description="The name of the graph's input.")
    width: int = Field(ge=1, description="Numbers in a row.")
    columns: FailFastList[Column] | None = Field(
        None, description="The columns of a table, in order; null for an embedding."
    )
    missing: Literal["refuse", "mean"] = Field(
        "refuse", description="A missing number is refused, or replaced by the mean of the training rows."
    )

    @model_validator(mode="after")
    def _one_name_a_column(self) -> Self:
        if self.columns is not None:
            names = [column.name for column in self.columns]
            if len(names) != self.width or len(set(names)) != len(names):
                raise ValueError(f"columns must be {self.width} with different names")
        return self

    @property
    def values(self) -> int:
        """Numbers in one row."""
        return self.width

    @property
    def in_words(self) -> str:
        """The rule for one input in a column of many, for messages."""
        size = self.width * self.dtype.itemsize
        return f"an embedding is a list of {self.width} numbers, or a fixed_size_binary of {size} bytes, float32"

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return (self.width,)

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """The element type of the graph's input."""
        return np.dtype(np.float32)


class TokensInput(_Kind):
    """Contexts of tokens, int64 `[N, context]`: each token is its number in the vocabulary."""

    kind: Literal["tokens"] = Field("tokens", description="Tokens of a text.")
    name: Literal["tokens"] = Field("tokens", description="The name of the graph's input.")
    context: int = Field(ge=1, description="Tokens in an input.")
    vocabulary: FailFastList[str] = Field(min_length=1, description="The tokens, in the order of their numbers from 0.")
    unknown: int = Field(ge=0, description="The number that represents tokens outside the vocabulary.")

    @model_validator(mode="after")
    def _one_number_a_token(self) -> Self:
        if len(set(self.vocabulary)) != len(self.vocabulary):
            raise ValueError("the tokens of the vocabulary must differ from one another")
        if self.unknown >= len(self.vocabulary):
            raise ValueError(f"unknown is {self.unknown}: the vocabulary has {len(self.vocabulary)} tokens")
        return self

    @property
    def values(self) -> int:
        """Numbers in one context."""
        return self.context

    @property
    def in_words(self) -> str:
        """The rule for one input in a column of many, for messages."""
        return f"a context is a list of {self.context} whole numbers, each of a token of the vocabulary"

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return (self.context,)

    @property
    def dtype(self) -> np.dtype[np.int64]:
        """The element type of the graph's input."""
        return np.dtype(np.int64)


Kind = ImageInput | FeaturesInput | TokensInput
Input = Annotated[Kind, Field(discriminator="kind")]
