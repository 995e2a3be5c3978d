"""A model of contexts of two tokens whose answers can be computed by hand, and one of very many classes."""

import base64
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from service.contract.inputs import TokensInput
from service.contract.manifest import GoldenVectors, Manifest
from service.contract.reference import Histogram
from tests import tiny, tiny_features
from training.data.encoders import TokenEncoder
from training.fitting.regression import SoftmaxRegression
from training.publishing.export import to_onnx
from training.publishing.model import Model

# Tokens have one number each, their embedding: "<unknown>" 0, "a" 1, "b" 0. So a context is the pair of those, and the
# model is the tiny one of pictures: two black pixels, the left one white, the right one.
KIND = TokensInput(context=2, vocabulary=["<unknown>", "a", "b"], unknown=0)
ENCODER = TokenEncoder(KIND, np.array([[0], [1], [0]], dtype=np.float32))
TOKENS: NDArray[np.int64] = np.array([[2, 2], [1, 2], [2, 1], [1, 1]])
TEXTS = [["b", "b"], ["a", "b"], ["b", "a"], ["a", "a"]]

MANY = 5000  # classes


def write(folder: Path) -> Path:
    """Write the model of three tokens."""
    return tiny_features.write(folder, Model(ENCODER, tiny.REGRESSION, 1.0, tiny_features.components(2)), TOKENS)


def many() -> Model:
    """A model of 5,000 classes, weakly predicted by the context's first token."""
    weights = torch.randn(2, MANY, generator=torch.Generator().manual_seed(0))
    return Model(ENCODER, SoftmaxRegression(weights, torch.zeros(MANY)), 1.0, tiny_features.components(2))


def write_many(folder: Path) -> Path:
    """Write the model of 5,000 classes, with prediction sets for all of them."""
    model = many()
    labels = [f"word{number}" for number in range(MANY)]
    counts = [1] * (MANY - 1) + [7]
    reference = tiny.REFERENCE.model_copy(
        update={
            "labels": counts,
            "own_labels": [*range(98), MANY - 1],
            "size": sum(counts),
            "confidence": Histogram(edges=[0.5], counts=[sum(counts), 0]),
            "ood_score": Histogram(edges=[0.5], counts=[0, sum(counts)]),
        }
    )
    sets = [sets for sets in tiny.abstention().prediction_sets if sets.method == "lac"]
    abstention = tiny.abstention().model_copy(update={"prediction_sets": sets})
    golden = GoldenVectors(
        inputs=base64.b64encode(TOKENS.tobytes()).decode(),
        probabilities=model.probabilities(TOKENS).tolist(),
        ood_scores=model.ood_score(TOKENS).tolist(),
        tolerance=1e-6,
    )
    parts = {"labels": labels, "input": KIND, "golden": golden, "reference": reference, "abstention": abstention}
    path = folder / "model.onnx"
    path.write_bytes(to_onnx(model, Manifest(**dict(tiny.manifest()) | parts)))
    return path
