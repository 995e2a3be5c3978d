"""A folder of small models of every kind for one service, and one invalid file."""

from pathlib import Path

import numpy as np
import torch

from service.contract.inputs import ImageInput
from service.contract.manifest import Manifest, OperatingPoint
from service.contract.policy import NeverAbstainPolicy, RejectCostPolicy
from tests import lifted, tiny, tiny_features, tiny_tokens
from training.certification.default_policy import uncertified_default
from training.data.encoders import ImageEncoder
from training.fitting.regression import SoftmaxRegression
from training.publishing.export import to_onnx
from training.publishing.model import Model
from training.reporting.evaluation.contradictions import contradictions

# Logits: left by the red of all pixels, right by their green.
COLOUR = ImageInput(height=8, width=6, channels=3)
COLOURS = np.zeros((2, 8, 6, 3), np.uint8)
COLOURS[1, :, :, 0] = 255
MARKUP = ["<b>dark</b>", "<img src=x onerror=alert(1)>", "right & left"]


def write_folder(folder: Path) -> Path:
    """Write the models and `broken`, each named after what it tests."""
    (folder / "broken.onnx").write_bytes(b"no model")
    _move(tiny.write(folder), "bytes")
    _move(tiny_features.write(folder, _colour(), COLOURS), "colour")
    _move(lifted.write(folder), "lifted")
    _move(tiny_features.write_table(folder, "mean"), "gaps")
    _move(tiny_features.write_table(folder), "table")
    _move(tiny_features.write_embedding(folder), "vector")
    _move(tiny_tokens.write(folder), "words")
    _move(tiny_tokens.write_many(folder), "words-many")
    manifest = tiny.manifest()
    _write(folder / "markup.onnx", Manifest(**dict(manifest) | {"labels": MARKUP}))
    without_promises = {"abstention": None, "default_policy": NeverAbstainPolicy()}
    _write(folder / "plain.onnx", Manifest(**dict(manifest) | without_promises))
    _write(folder / "contradicted.onnx", _contradicted(manifest))
    _write(folder / "unanswering.onnx", _unanswering(manifest))
    return folder


def _contradicted(manifest: Manifest) -> Manifest:
    """A model whose report split contradicts both of its promises; its gate excludes the fourth image."""
    abstention = tiny.abstention(ood_threshold=2.0)
    promised = abstention.selective_risk[1].policy(), abstention.reject_cost[1].policy()
    points = [
        OperatingPoint(
            policy=policy,
            answered=100,
            errors=40,
            coverage=0.5,
            selective_risk=0.4,
            mean_cost=0.3 if isinstance(policy, RejectCostPolicy) else None,
        )
        for policy in promised
    ]
    metrics = manifest.metrics.model_copy(update={"operating_points": points})
    changes = {"abstention": abstention, "metrics": metrics, "default_policy": promised[0]}
    return Manifest(**dict(manifest) | changes | {"warnings": contradictions(points, abstention)})


def _unanswering(manifest: Manifest) -> Manifest:
    """A model whose default policy has no certificate."""
    assert manifest.abstention is not None
    default = manifest.abstention.selective_risk[0].policy()
    warning = uncertified_default(default, manifest.abstention, {"calibration": 100, "report": 100})
    return Manifest(**dict(manifest) | {"default_policy": default, "warnings": [warning]})


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
