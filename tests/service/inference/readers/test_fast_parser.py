"""The fast parser of a JSON body and a plain pydantic model accept the same bodies, and read the same values."""

import base64
import json
import random
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from service.contract.errors import RequestError
from service.contract.policy import NeverAbstainPolicy
from service.inference.classifier import Classifier
from service.inference.prediction_id import PredictionIds
from service.inference.predictor import Predictor
from service.inference.readers.reader import reader_for
from service.settings import Settings

BODIES = 30_000
_Pixel = Annotated[int, Field(strict=True, ge=0, le=255)]
_Row = Annotated[list[_Pixel], Field(min_length=2, max_length=2)]


def _decoded(text: str) -> list[int]:
    raw = base64.b64decode(text, validate=True)
    if len(raw) != 2:
        raise ValueError("two pixels")
    return list(raw)


_Base64 = Annotated[str, AfterValidator(_decoded)]
_Image = _Base64 | _Row | Annotated[list[_Row], Field(min_length=1, max_length=1)]


class _Policy(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    threshold: Annotated[float, Field(ge=0, le=1)]


class _Body(BaseModel):
    """The obvious model for the tiny model's input: images of one row of two pixels."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    inputs: Annotated[list[_Image], Field(min_length=1, max_length=4)]
    top_k: Annotated[int, Field(ge=1, le=3)] | None = None
    policy: _Policy | None = None
    resize: bool = False


# Whole values and single tokens; a body is a good one in which some tokens have been swapped, dropped or doubled.
_TOKENS = [
    *("0", "1", "255", "256", "-1", "-0", "1.0", "0.5", "1e2", "1E0", "01", "1e999", "NaN", "Infinity", "9" * 30),
    *("true", "false", "null", '"1"', '"AAA="', '""', "[]", "{}", "[0,0]", "[[0,0]]", "[true,0]", '{"a":1}'),
    *("{", "}", "[", "]", ",", ":", " ", "\n", "\ufeff", "e", "tru"),
    *('"inputs"', '"top_k"', '"policy"', '"threshold"', '"resize"', '"Inputs"', '"\\u0069nputs"'),
]
_GOOD = [
    ["{", '"inputs"', ":", "[", "[", "0", ",", "255", "]", "]", "}"],
    ["{", '"inputs"', ":", "[", "[", "[", "7", ",", "255", "]", "]", ",", "[", "1", ",", "0", "]", "]", "}"],
    ["{", '"top_k"', ":", "2", ",", '"inputs"', ":", "[", "[", "0", ",", "9", "]", "]", "}"],
    ["{", '"inputs"', ":", "[", "[", "0", ",", "9", "]", "]", ",", '"resize"', ":", "false", "}"],
    [
        *("{", '"policy"', ":", "{", '"threshold"', ":", "0.5", "}", ","),
        *('"inputs"', ":", "[", "[", "1", ",", "9", "]", "]", ",", '"top_k"', ":", "null", "}"),
    ],
]


def _body(draw: random.Random) -> str:
    tokens = list(draw.choice(_GOOD))
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
        place = draw.randrange(len(tokens))
        match draw.randrange(4):
            case 0:
                del tokens[place]
            case 1:
                tokens.insert(place, draw.choice(_TOKENS))
            case 2:
                tokens.insert(place, tokens[draw.randrange(len(tokens))])
            case _:
                tokens[place] = draw.choice(_TOKENS)
    return "".join(tokens)


def _plainly(text: str) -> list[list[int]] | None:
    """The images that the plain model reads, flat; None if it refuses the body."""
    try:
        body = _Body.model_validate_json(text.removeprefix("\ufeff"))  # which RFC 8259 lets a reader ignore
    except ValidationError:
        return None
    return [list(np.ravel(image)) for image in body.inputs]


def _has_a_key_twice(text: str) -> bool:
    """The only thing that pydantic accepts and Demur does not."""

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise LookupError
        return dict(pairs)

    try:
        json.loads(text.removeprefix("\ufeff"), object_pairs_hook=look)
    except LookupError:
        return True
    return False


@pytest.fixture(scope="module")
def predictor(tiny_model: Path) -> Predictor:
    classifier = Classifier.load(tiny_model)
    manifest = classifier.manifest
    reader = reader_for(manifest.input, Settings(max_batch_size=4).read_limits)
    ids = PredictionIds(classifier.version)
    return Predictor("tiny", classifier, reader, NeverAbstainPolicy(), ids)


def _compare(predictor: Predictor, bodies: int, seed: int) -> tuple[int, int]:
    """The numbers of bodies that both accepted and both refused."""
    draw = random.Random(seed)
    accepted = refused = 0
    for _ in range(bodies):
        text = _body(draw)
        expected = _plainly(text)
        try:
            answer = predictor.answer(predictor.prepare(text.encode(), "application/json")).body
        except RequestError:
            assert expected is None or _has_a_key_twice(text), text
            refused += 1
            continue
        assert expected is not None, text
        images = np.array(expected, np.uint8).reshape(-1, 1, 2)
        assert _probabilities(answer) == predictor.classifier.scores(images).probabilities.tolist(), text
        accepted += 1
    return accepted, refused


def _probabilities(body: bytes) -> list[list[float]]:
    return [prediction["probabilities"] for prediction in json.loads(body)["predictions"]]


def test_fast_and_plain_accept_the_same_bodies(predictor: Predictor) -> None:
    accepted, refused = _compare(predictor, BODIES, seed=0)
    assert accepted > BODIES / 8
    assert refused > BODIES / 8


@pytest.mark.slow
def test_fast_and_plain_agree_on_half_a_million_bodies(predictor: Predictor) -> None:
    accepted, refused = _compare(predictor, 500_000, seed=1)
    assert accepted > 60_000
    assert refused > 100_000
