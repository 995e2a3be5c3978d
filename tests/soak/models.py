"""Models of all four kinds in several versions, and invalid files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput, ImageInput, TokensInput
from service.inference.model_file import MAX_MODEL_BYTES
from tests import tiny_features
from tests.versions import refer_elsewhere
from training.data.encoders import Encoder, FeatureEncoder, ImageEncoder, TokenEncoder
from training.fitting.regression import SoftmaxRegression
from training.publishing.model import Model

SIDE = 28  # of a picture
WIDTH = 64  # of an embedding
_DRAW = np.random.default_rng(0)
PICTURES: NDArray[np.uint8] = _DRAW.integers(0, 256, (64, SIDE, SIDE), dtype=np.uint8)
EMBEDDINGS: NDArray[np.float32] = _DRAW.normal(size=(256, WIDTH)).astype(np.float32)
ROWS: NDArray[np.float32] = np.array([[40, 0, 75], [57, 0, 71], [34, 1, 60], [np.nan, -1, 90]], dtype=np.float32)
TOKENS: NDArray[np.int64] = np.array([[2, 1], [1, 2], [1, 1], [0, 1]])

_ENCODERS: dict[str, tuple[Encoder, NDArray[Any]]] = {
    "pictures": (ImageEncoder(ImageInput(height=SIDE, width=SIDE)), PICTURES[:4]),
    "table": (FeatureEncoder(tiny_features.table("mean"), np.array([40.0, 70.0]), np.array([10.0, 20.0])), ROWS),
    "embeddings": (FeatureEncoder(FeaturesInput(width=WIDTH), np.zeros(WIDTH), np.ones(WIDTH)), EMBEDDINGS[:4]),
    "tokens": (
        TokenEncoder(
            TokensInput(context=2, vocabulary=["<unknown>", "a", "b"], unknown=0),
            np.array([[0.25], [1], [0.5]], dtype=np.float32),
        ),
        TOKENS,
    ),
}
NAMES = tuple(_ENCODERS)


def write_version(folder: Path, version: int) -> None:
    """Write `NAME.onnx` for each name. Weights are drawn by `version`: no two answer anything alike."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(version)
    for name, (encoder, golden) in _ENCODERS.items():
        scale = 0.02 if name == "pictures" else 0.5
        weights = torch.randn(encoder.width, 3, generator=generator) * scale
        regression = SoftmaxRegression(weights, torch.randn(3, generator=generator))
        model = Model(encoder, regression, 1.0, tiny_features.components(encoder.width))
        tiny_features.write(folder, model, golden).rename(folder / f"{name}.onnx")


def _other_weights(good: Path, target: Path) -> None:
    """A loadable model whose golden vectors hold other probabilities."""
    proto = onnx.load(good)
    for tensor in proto.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if tensor.name in ("weights", "logit_parts"):
            tensor.CopyFrom(onnx.numpy_helper.from_array(values * values.dtype.type(1.5), tensor.name))
    onnx.save(proto, target)


def _external_data(good: Path, target: Path) -> None:
    """A tensor in a file beside it."""
    proto = onnx.load(good)
    refer_elsewhere(proto)
    target.write_bytes(proto.SerializeToString())


def _large(good: Path, target: Path) -> None:
    """A sparse file over the size limit."""
    target.write_bytes(good.read_bytes())
    with target.open("r+b") as file:
        file.truncate(4 * MAX_MODEL_BYTES)


def _of_another_kind(good: Path, target: Path) -> None:
    """A good model for other inputs."""
    name = NAMES[(NAMES.index(good.stem) + 1) % len(NAMES)]
    target.write_bytes((good.parent / f"{name}.onnx").read_bytes())


# Make an invalid file from a good one.
SPOILT: dict[str, Callable[[Path, Path], object]] = {
    "empty": lambda _, target: target.write_bytes(b""),
    "truncated": lambda good, target: target.write_bytes(good.read_bytes()[: good.stat().st_size // 2]),
    "no model": lambda _, target: target.write_bytes(bytes(range(256)) * 64),
    "other weights": _other_weights,
    "external data": _external_data,
    "large": _large,
    "another kind": _of_another_kind,
}
