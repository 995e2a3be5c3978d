"""A model so small that its answers can be worked out by hand, made by the real export."""

import base64
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from service.manifest import Data, GoldenVectors, ImageInput, Manifest, Metrics, Split, Training
from service.policy import NeverAbstainPolicy
from training.export import to_onnx
from training.regression import SoftmaxRegression

LABELS = ["dark", "left", "right"]
KIND = ImageInput(height=1, width=2)

# Logits of an image [l, r]: dark 0, left log(9) * l / 255, right log(9) * r / 255. So a black image has
# probabilities 1/3 each, [255, 0] has 1/11, 9/11, 1/11, and [255, 255] has 1/19, 9/19, 9/19.
MODEL = SoftmaxRegression(
    weights=torch.log(torch.tensor([[1.0, 9.0, 1.0], [1.0, 1.0, 9.0]])),
    biases=torch.zeros(3),
)
IMAGES: NDArray[np.uint8] = np.array([[[0, 0]], [[255, 0]], [[0, 255]], [[255, 255]]], dtype=np.uint8)
PROBABILITIES = [[1 / 3] * 3, [1 / 11, 9 / 11, 1 / 11], [1 / 11, 1 / 11, 9 / 11], [1 / 19, 9 / 19, 9 / 19]]


def manifest() -> Manifest:
    """The tiny model's manifest, with all four images as golden vectors."""
    part = Split(size=4, source="by hand", fingerprint="0" * 64)
    return Manifest(
        name="tiny",
        labels=LABELS,
        input=KIND,
        temperature=1.0,
        default_policy=NeverAbstainPolicy(),
        training=Training(
            recipe="tuned",
            epochs=1,
            batch_size=1,
            learning_rate=0.1,
            momentum=0,
            weight_decay=0,
            schedule="constant",
            clip_norm=None,
            keep="last",
            seed=0,
            device="cpu",
            best_epoch=1,
        ),
        data=Data(
            name="tiny",
            fingerprint="0" * 64,
            splits={"train": part, "tune": part, "calibration": part, "report": part},
            report_is_held_out=True,
        ),
        metrics=Metrics(size=4, accuracy=1.0, nll=0.5),
        versions={"python": "3.11"},
        git_revision=None,
        created_at=None,
        golden=GoldenVectors(
            inputs=base64.b64encode(IMAGES.tobytes()).decode(), probabilities=PROBABILITIES, tolerance=1e-6
        ),
    )


def write(folder: Path) -> Path:
    """Write the model into `folder` and return its path."""
    path = folder / "model.onnx"
    path.write_bytes(to_onnx(MODEL, manifest()))
    return path
