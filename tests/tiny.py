"""A model so small that its answers can be computed by hand, written by the real export.

`python -m tests.tiny FOLDER` writes it.
"""

import base64
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from service.contract.certificates import Abstention
from service.contract.inputs import ImageInput
from service.contract.manifest import (
    Data,
    GoldenVectors,
    Manifest,
    Metrics,
    ProbabilityQuality,
    RiskCoverageCurve,
    Split,
)
from service.contract.policy import NeverAbstainPolicy
from service.contract.reference import Histogram, Reference
from service.contract.training import Training
from training.certification.principal_components import PrincipalComponents
from training.data.encoders import ImageEncoder
from training.fitting.regression import SoftmaxRegression
from training.publishing.export import to_onnx
from training.publishing.model import Model

LABELS = ["dark", "left", "right"]
KIND = ImageInput(height=1, width=2)

# Logits of an image [l, r]: dark 0, left log(9) * l / 255, right log(9) * r / 255. So a black image has
# probabilities 1/3 each, [255, 0] has 1/11, 9/11, 1/11, and [255, 255] has 1/19, 9/19, 9/19.
REGRESSION = SoftmaxRegression(
    weights=torch.log(torch.tensor([[1.0, 9.0, 1.0], [1.0, 1.0, 9.0]])),
    biases=torch.zeros(3),
)
# One component, along (1, 1) / sqrt(2) through the origin, of variance 1/2. Of features (l, r) the residual is
# (l - r)^2 / 2, the relative one (residual + 0.001) / (l^2 + r^2 + 0.001), Hotelling's statistic (l + r)^2. Hence the
# four scores below: black is nothing but residual, [255, 255] is twice as far out as [255, 0].
COMPONENTS = PrincipalComponents(
    mean=torch.zeros(2, dtype=torch.float64),
    axes=torch.full((2, 1), 0.5, dtype=torch.float64).sqrt(),
    variances=torch.tensor([0.5], dtype=torch.float64),
    scales=torch.ones(3, dtype=torch.float64),
    explained_variance=1.0,
)
ENCODER = ImageEncoder(KIND)
MODEL = Model(ENCODER, REGRESSION, 1.0, COMPONENTS)
IMAGES: NDArray[np.uint8] = np.array([[[0, 0]], [[255, 0]], [[0, 255]], [[255, 255]]], dtype=np.uint8)
OOD_SCORES = [1.0, 1.0, 1.0, 4.0]
PROBABILITIES = [[1 / 3] * 3, [1 / 11, 9 / 11, 1 / 11], [1 / 11, 1 / 11, 9 / 11], [1 / 19, 9 / 19, 9 / 19]]

# A hundred inputs: most are confidently left, none is far out.
REFERENCE = Reference(
    split="calibration",
    size=100,
    fingerprint="0" * 64,
    labels=[10, 60, 30],
    own_labels=None,
    confidence=Histogram(edges=[0.5, 0.8], counts=[20, 20, 60]),
    ood_score=Histogram(edges=[0.5, 2.0], counts=[10, 88, 2]),
)


def abstention(ood_threshold: float = 4.0) -> Abstention:
    """Hand-made certificates: for each kind one certified and one infeasible. All four images pass the gate."""
    basis = {"method": "by hand", "population": "by hand", "size": 100}
    prints = {"tune_fingerprint": "0" * 64, "calibration_fingerprint": "0" * 64}
    sets = {"population": "by hand", "calibration_fingerprint": "0" * 64}
    rows = {"unit": "row", "test": "binomial", "groups": None, "largest_group": None}
    test = {"confidence_level": 0.95, **rows, **basis, **prints}
    nothing = {"threshold": None, "answered": None, "errors": None, "risk_bound": None, "coverage": None}
    costs = {"answered": 50, "coverage": 0.5, "answer_cost": 0.02}
    return Abstention.model_validate(
        {
            "out_of_distribution": {
                "threshold": ood_threshold,
                "false_alarm_rate": 0.01,
                "asked_false_alarm_rate": 0.01,
                "confidence_level": 0.95,
                "components": 1,
                "explained_variance": 1.0,
                "order_statistic": 100,
                "tune_fingerprint": "0" * 64,
                **basis,
            },
            "selective_risk": [
                {"status": "infeasible", "selective_risk": 0.01, "family": 1, "p_value": None, **nothing, **test},
                {
                    "status": "certified",
                    "selective_risk": 0.1,
                    "family": 1,
                    "p_value": 0.04,
                    **{"threshold": 0.8, "answered": 50, "errors": 1, "risk_bound": 0.09, "coverage": 0.5},
                    **test,
                },
            ],
            "cost_matrix": None,
            "reject_cost": [
                {
                    "status": "infeasible",
                    "reject_cost": 0.01,
                    "p_value": 0.5,
                    "answer_cost_bound": 0.09,
                    "expected_cost": 0.015,
                    **costs,
                    **test,
                },
                {
                    "status": "certified",
                    "reject_cost": 0.2,
                    "p_value": 0.001,
                    "answer_cost_bound": 0.09,
                    "expected_cost": 0.11,
                    **costs,
                    **test,
                },
            ],
            "prediction_sets": [
                {
                    "set_coverage": 0.9,
                    "method": "lac",
                    "thresholds": [0.4],
                    "order_statistics": [91],
                    "sizes": [100],
                    **sets,
                },
                {
                    "set_coverage": 0.9,
                    "method": "lac_class_conditional",
                    "thresholds": [0.05, 0.4, 0.5],
                    "order_statistics": [31, 31, 31],
                    "sizes": [33, 33, 34],
                    **sets,
                },
            ],
        }
    )


def manifest() -> Manifest:
    """The tiny model's manifest, with all four images as golden vectors."""
    part = Split(size=4, source="by hand", fingerprint="0" * 64)
    quality = {"nll": 0.5, "brier": 0.5, "ece": 0.1, "adaptive_ece": 0.1}
    return Manifest(
        name="tiny",
        labels=LABELS,
        input=KIND,
        lift=None,
        temperature=1.0,
        default_policy=NeverAbstainPolicy(),
        abstention=abstention(),
        reference=REFERENCE,
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
            precision="float32",
            processes=1,
            best_epoch=1,
        ),
        data=Data(
            name="tiny",
            fingerprint="0" * 64,
            splits={"train": part, "tune": part, "calibration": part, "report": part},
            report_is_held_out=True,
        ),
        metrics=Metrics(
            size=4,
            accuracy=1.0,
            before_temperature=ProbabilityQuality(**quality),
            operating_points=[],
            risk_coverage=RiskCoverageCurve(thresholds=[9 / 11, 9 / 19, 1 / 3], answered=[2, 3, 4], errors=[0, 1, 1]),
            **quality,
        ),
        warnings=[],
        versions={"python": "3.11"},
        git_revision=None,
        created_at=None,
        golden=GoldenVectors(
            inputs=base64.b64encode(IMAGES.tobytes()).decode(),
            probabilities=PROBABILITIES,
            ood_scores=OOD_SCORES,
            tolerance=1e-6,
        ),
    )


def write(folder: Path, ood_threshold: float = 4.0) -> Path:
    """Write the model into `folder` and return its path."""
    path = folder / "model.onnx"
    written = manifest().model_copy(update={"abstention": abstention(ood_threshold)})
    path.write_bytes(to_onnx(MODEL, written))
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]))
