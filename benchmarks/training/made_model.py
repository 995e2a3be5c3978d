"""A model of synthetic data, as a file and loaded as in the service."""

import dataclasses
from pathlib import Path

import numpy as np

from service.contract.inputs import FeaturesInput
from service.contract.training import Training
from service.inference.predictor import Predictor
from service.registry.loading import load as load_models
from service.settings import Settings
from training.certification.principal_components import PrincipalComponents
from training.data.dataset import Labelled, LabelledData
from training.data.encoders import FeatureEncoder
from training.data.splits import Splits
from training.fitting.examples import Examples
from training.fitting.recipes import TUNED
from training.fitting.regression import SoftmaxRegression
from training.publishing import manifest
from training.publishing.export import to_onnx
from training.publishing.model import Model
from training.publishing.proof import Expected
from training.reporting.evaluation.quality import measure_quality

_MAX_BYTES = 2**32
_REPORTED = 32  # examples according to the manifest


def write(path: Path, few: Examples, regression: SoftmaxRegression, components: PrincipalComponents) -> int:
    """Write the file; return its size. `few` serve as every split and as inputs, and nothing is certified."""
    width, classes = regression.weights.shape
    kind = FeaturesInput(width=width)
    model = Model(FeatureEncoder(kind, np.zeros(width), np.ones(width)), regression, 1.0, components)
    part = Labelled("made", few.features[:_REPORTED].numpy(), few.labels[:_REPORTED].numpy())
    splits = Splits(part, part, None, part, report_is_held_out=False)
    dataset = LabelledData("made", kind, tuple(f"class {number}" for number in range(classes)), "0" * 64)
    logits = regression.to(dtype=few.features.double().dtype).logits(few.features[:_REPORTED].double())
    expected = Expected(model.probabilities(part.inputs), model.ood_score(part.inputs))
    training = Training(recipe="tuned", seed=0, device="cpu", processes=1, best_epoch=1, **dataclasses.asdict(TUNED))
    metrics = measure_quality(logits, part.labels, 1.0)
    return path.write_bytes(to_onnx(model, manifest.draft(dataset, splits, training, model, metrics, expected)))


def load(path: Path) -> Predictor:
    """Load the model as `python -m service` does."""
    (model,) = load_models(Settings(model_path=path, max_model_bytes=_MAX_BYTES)).ready()
    return model.predictor
