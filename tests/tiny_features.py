"""Models of rows so small that their answers can be computed by hand: a table, an embedding, and any other kind."""

import base64
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from service.contract.inputs import Column, FeaturesInput
from service.contract.manifest import GoldenVectors, Manifest
from service.contract.training import Lift
from tests import tiny
from training.certification.principal_components import PrincipalComponents
from training.data.encoders import FeatureEncoder
from training.fitting.regression import SoftmaxRegression
from training.publishing.export import to_onnx
from training.publishing.model import Model

# Features of a row: (age - 40) / 10, (mass - 70) / 20, 1 for f, 1 for m. Logits: dark 0, left log(9) a deviation of
# age, right log(9) for m. So age 40 and f has probabilities 1/3 each, age 50 and f 1/11, 9/11, 1/11, age 40 and m
# 1/11, 1/11, 9/11; and an unknown sex adds nothing.
COLUMNS = [Column(name="age"), Column(name="sex", categories=["f", "m"]), Column(name="mass")]
TABLE = SoftmaxRegression(
    weights=torch.log(torch.tensor([[1.0, 9.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 9.0]])),
    biases=torch.zeros(3),
)
ROWS: NDArray[np.float32] = np.array([[40, 0, 70], [50, 0, 70], [40, 1, 70], [40, -1, 90]], dtype=np.float32)
PROBABILITIES = [[1 / 3] * 3, [1 / 11, 9 / 11, 1 / 11], [1 / 11, 1 / 11, 9 / 11], [1 / 3] * 3]
OBJECTS: list[dict[str, Any]] = [
    {"age": 40, "sex": "f", "mass": 70},
    {"mass": 70.0, "sex": "f", "age": 50.0},
    {"age": 40, "sex": "m", "mass": 70},
    {"age": 40, "sex": "x", "mass": 90},
]

# Like the tiny model of images, on levels from 0 to 1.
EMBEDDINGS: NDArray[np.float32] = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=np.float32)


def table(missing: Literal["refuse", "mean"] = "refuse") -> FeaturesInput:
    """The input description of the table."""
    return FeaturesInput(width=3, columns=COLUMNS, missing=missing)


def write_table(folder: Path, missing: Literal["refuse", "mean"] = "refuse") -> Path:
    """Write the model of the table."""
    encoder = FeatureEncoder(table(missing), np.array([40.0, 70.0]), np.array([10.0, 20.0]))
    return write(folder, Model(encoder, TABLE, 1.0, components(4)), ROWS)


def write_embedding(folder: Path, missing: Literal["refuse", "mean"] = "refuse") -> Path:
    """Write the model of two numbers."""
    encoder = FeatureEncoder(FeaturesInput(width=2, missing=missing), np.zeros(2), np.ones(2))
    return write(folder, Model(encoder, tiny.REGRESSION, 1.0, components(2)), EMBEDDINGS)


def components(width: int) -> PrincipalComponents:
    """One component, along the first feature."""
    return PrincipalComponents(
        mean=torch.zeros(width, dtype=torch.float64),
        axes=torch.eye(width, 1, dtype=torch.float64),
        variances=torch.ones(1, dtype=torch.float64),
        scales=torch.ones(3, dtype=torch.float64),
        explained_variance=1.0,
    )


def write(folder: Path, model: Model, inputs: NDArray[Any]) -> Path:
    """Write a model of any kind into `folder`, with `inputs` as golden vectors, and return its path."""
    path = folder / "model.onnx"
    path.write_bytes(to_onnx(model, manifest(model, inputs)))
    return path


def manifest(model: Model, inputs: NDArray[Any]) -> Manifest:
    """The manifest of a model of any kind, with `inputs` as golden vectors."""
    lift = model.regression.lift
    golden = GoldenVectors(
        inputs=base64.b64encode(inputs.tobytes()).decode(),
        probabilities=model.probabilities(inputs).tolist(),
        ood_scores=model.ood_score(inputs).tolist(),
        tolerance=1e-6,
    )
    update = {
        "input": model.encoder.kind,
        "golden": golden,
        "lift": None if lift is None else Lift(components=lift.components),
    }
    return tiny.manifest().model_copy(update=update)
