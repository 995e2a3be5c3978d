"""A folder of small models of every kind, for one service, and one file that may not serve."""

from pathlib import Path

import numpy as np
import torch

from service.inputs import ImageInput
from service.manifest import Manifest
from service.policy import NeverAbstainPolicy
from tests import tiny, tiny_features, tiny_tokens
from training.export import to_onnx
from training.inputs import ImageEncoder
from training.model import Model
from training.regression import SoftmaxRegression

# Logits: left by the red of all pixels, right by their green.
COLOUR = ImageInput(height=8, width=6, channels=3)
COLOURS = np.zeros((2, 8, 6, 3), np.uint8)
COLOURS[1, :, :, 0] = 255
MARKUP = ["<b>dark</b>", "<img src=x onerror=alert(1)>", "right & left"]


def write_folder(folder: Path) -> Path:
    """`bytes`, `colour`, `gaps`, `markup`, `plain`, `table`, `vector`, `words`, `words-many`, and `broken`."""
    (folder / "broken.onnx").write_bytes(b"no model")
    _move(tiny.write(folder), "bytes")
    _move(tiny_features.write(folder, _colour(), COLOURS), "colour")
    _move(tiny_features.write_table(folder, "mean"), "gaps")
    _move(tiny_features.write_table(folder), "table")
    _move(tiny_features.write_embedding(folder), "vector")
    _move(tiny_tokens.write(folder), "words")
    _move(tiny_tokens.write_many(folder), "words-many")
    stated = tiny.manifest()
    _write(folder / "markup.onnx", Manifest(**dict(stated) | {"labels": MARKUP}))
    plain = {"abstention": None, "default_policy": NeverAbstainPolicy()}
    _write(folder / "plain.onnx", Manifest(**dict(stated) | plain))
    return folder


def _colour() -> Model:
    weights = torch.zeros(COLOUR.values, 3)
    weights[0::3, 1] = weights[1::3, 2] = torch.log(torch.tensor(9.0)) / 48
    return Model(
        ImageEncoder(COLOUR), SoftmaxRegression(weights, torch.zeros(3)), 1.0, tiny_features.components(COLOUR.values)
    )


def _move(path: Path, name: str) -> None:
    path.rename(path.with_name(f"{name}.onnx"))


def _write(path: Path, manifest: Manifest) -> None:
    path.write_bytes(to_onnx(tiny.MODEL, manifest))
