"""A model of RGB images: all forms give the same pixels, and images that are not RGB are refused."""

import base64
import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from service.app import create_app
from service.contract.inputs import ImageInput
from service.inference.readers.images import ImageReader
from service.inference.readers.picture_options import PictureOptions
from service.settings import Settings
from tests import tiny_features
from tests.service.arrays import npy
from tests.service.asking import NPY, RAW, probabilities, send
from tests.service.canon import assert_problem
from tests.service.pictures import blank, encoded
from training.data.encoders import ImageEncoder
from training.fitting.regression import SoftmaxRegression
from training.publishing.model import Model

KIND = ImageInput(height=2, width=1, channels=3)
IMAGES = np.array([[[[0, 0, 0]], [[0, 0, 0]]], [[[255, 0, 0]], [[0, 0, 255]]]], dtype=np.uint8)  # [2, 2, 1, 3]
# Logits: left log(9) times the first red, right log(9) times the last green.
PROBABILITIES = [[1 / 3] * 3, [1 / 11, 9 / 11, 1 / 11]]
PNG = "image/png"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    weights = torch.zeros(6, 3)
    weights[0, 1] = weights[4, 2] = torch.log(torch.tensor(9.0))
    model = Model(ImageEncoder(KIND), SoftmaxRegression(weights, torch.zeros(3)), 1.0, tiny_features.components(6))
    path = tiny_features.write(tmp_path_factory.mktemp("colour"), model, IMAGES)
    with TestClient(create_app(Settings(model_path=path, max_batch_size=2))) as client:
        yield client


def _json(inputs: object) -> tuple[str, str]:
    return json.dumps({"inputs": inputs}), "application/json"


PICTURES = [encoded(Image.fromarray(image)) for image in IMAGES]
BODIES: dict[str, tuple[bytes | str, str]] = {
    "rows": _json(IMAGES.tolist()),
    "flat": _json(IMAGES.reshape(2, 6).tolist()),
    "base64 of bytes": _json([base64.b64encode(image.tobytes()).decode() for image in IMAGES]),
    "base64 of PNG": _json([base64.b64encode(picture).decode() for picture in PICTURES]),
    "bytes": (IMAGES.tobytes(), RAW),
    "npy": (npy(IMAGES), NPY),
    "flat npy": (npy(IMAGES.reshape(2, 6)), NPY),
    "npy in Fortran's order": (npy(np.asfortranarray(IMAGES)), NPY),
    "flat npy in Fortran's order": (npy(np.asfortranarray(IMAGES.reshape(2, 6))), NPY),
}


@pytest.mark.parametrize(("body", "media_type"), BODIES.values(), ids=BODIES)
def test_every_form_of_body_gives_the_same_answer(client: TestClient, body: bytes | str, media_type: str) -> None:
    np.testing.assert_allclose(probabilities(send(client, body, media_type)), PROBABILITIES, atol=1e-7)


def test_picture_is_unchanged(client: TestClient) -> None:
    np.testing.assert_allclose(probabilities(send(client, PICTURES[1], PNG)), PROBABILITIES[1:], atol=1e-7)
    assert send(client, blank("RGB", (1, 2), "JPEG"), "image/jpeg").status_code == 200


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_other_modes_are_refused_without_resize(client: TestClient, mode: str) -> None:
    rule = f"1x2 pixels, mode {mode}: it must be 1x2 in colour (mode RGB), or sent with resize=true"
    assert_problem(send(client, blank(mode, (1, 2)), PNG), 422, rule)


READER = ImageReader(ImageInput(height=4, width=4, channels=3), max_batch_size=1, max_image_pixels=10_000)
RESIZING = READER.with_options(PictureOptions(resize=True))


@pytest.mark.parametrize(
    ("mode", "colour", "pixel"),
    [
        ("RGB", (10, 20, 30), [10, 20, 30]),
        ("L", 130, [130] * 3),
        ("RGBA", (255, 255, 255, 0), [0, 0, 0]),  # transparent: the black behind it shows
        ("RGBA", (10, 20, 30, 255), [10, 20, 30]),
        ("1", 1, [255] * 3),
    ],
)
def test_resize_converts_to_colour_on_black(mode: str, colour: int | tuple[int, ...], pixel: list[int]) -> None:
    result = RESIZING.from_body(encoded(Image.new(mode, (9, 9), colour)), "image/png")
    np.testing.assert_array_equal(result, np.full((1, 4, 4, 3), pixel))


def test_resize_centres_colour_on_black() -> None:
    wide = RESIZING.from_body(encoded(Image.new("RGB", (8, 4), (255, 0, 255))), "image/png")[0]
    assert wide[0].max() == wide[3].max() == 0
    assert wide[1:3].tolist() == [[[255, 0, 255]] * 4] * 2


_PIXEL = "a pixel is three integers from 0 to 255"
BAD = {
    "a number": ("5", "inputs[0] is 5: an image is 2 rows of 1 pixels of 3 integers, 6 integers, or base64"),
    "five numbers": ("[0, 0, 0, 0, 0]", "inputs[0] has 5 numbers: an image is 6 integers, or 2 rows of 1 pixels of 3"),
    "one row": ("[[[0, 0, 0]]]", "inputs[0] has 1 rows: an image has 2"),
    "a row of two pixels": ("[[[0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]", "inputs[0][1] has 2 pixels: a row has 1"),
    "a row that is a number": ("[[[0, 0, 0]], 7]", "inputs[0][1] is 7: a row is 1 pixels"),
    "grey rows": ("[[0], [0]]", f"inputs[0][0][0] is 0: {_PIXEL}"),
    "a pixel of four": ("[[[0, 0, 0]], [[0, 0, 0, 0]]]", f"inputs[0][1][0] is a list of 4: {_PIXEL}"),
    "256": ("[[[0, 0, 0]], [[0, 0, 256]]]", f"inputs[0][1][0][2] is 256: {_PIXEL}"),
    "true": ("[[[0, true, 0]], [[0, 0, 0]]]", f"inputs[0][0][0][1] is true: {_PIXEL}"),
    "-1 in a flat one": ("[0, 0, 0, 0, -1, 0]", f"inputs[0][4] is -1: {_PIXEL}"),
    "base64 of three bytes": ('"AAAA"', "inputs[0] holds 3 bytes: it must be a picture file (PNG, JPEG, WebP"),
}


@pytest.mark.parametrize(("image", "fragment"), BAD.values(), ids=BAD)
def test_bad_image(client: TestClient, image: str, fragment: str) -> None:
    assert_problem(send(client, f'{{"inputs": [{image}]}}'), 422, fragment)


def test_invalid_bytes_and_arrays(client: TestClient) -> None:
    assert_problem(send(client, bytes(4), RAW), 422, "body has 4 bytes: it must hold whole images of 6 bytes")
    assert_problem(send(client, npy(IMAGES[..., 0]), NPY), 422, "shape [2, 2, 1]: it must be [N, 2, 1, 3] or [N, 6]")
    assert_problem(send(client, npy(IMAGES / 255), NPY), 422, "body is an array of float64: it must be uint8")
    assert_problem(send(client, npy(IMAGES[:0]), NPY), 422, "body is empty: it must hold at least one image")
    assert_problem(send(client, npy(np.repeat(IMAGES, 2, axis=0)), NPY), 413, "body holds 4 images: at most 2")
    assert_problem(send(client, PICTURES[0], NPY), 400, "the body is not a .npy file")
