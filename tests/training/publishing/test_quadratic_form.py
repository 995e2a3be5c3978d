"""The quadratic part of the logits: the file computes what torch does, and the same for every size of a batch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from service.inference.classifier import Classifier
from service.inference.model_file import with_outputs
from tests import lifted, tiny_features
from training.publishing.export import to_onnx
from training.publishing.model import Model, logits_of
from training.publishing.proof import Expected, prove_export
from training.publishing.quadratic_form import QuadraticForm

PICTURES = lifted.pictures(1000)
SIZES = (1, 7, 64, 1000)


@pytest.fixture(scope="module", params=[16, 64, 100, 2])
def model(request: pytest.FixtureRequest) -> Model:
    """Three classes; fewer coordinates than the gate has axes, as many, more, and fewer than classes."""
    return lifted.model(lifted.PICTURES, PICTURES, request.param)


@pytest.mark.parametrize("size", SIZES)
def test_file_is_proved_in_blocks_of_any_size(model: Model, size: int, tmp_path: Path) -> None:
    path = tiny_features.write(tmp_path, model, PICTURES[:4])
    blocks = [PICTURES[start : start + size] for start in range(0, len(PICTURES), size)]
    expected = Expected(model.probabilities(PICTURES), model.ood_score(PICTURES))
    proof = prove_export(path, blocks, expected)
    assert proof.difference <= 1e-7
    whole = Classifier.load(path).scores(PICTURES)
    assert proof.scores.distance(whole.probabilities, whole.ood_score) <= (1e-7, 1e-7)


def test_products_are_exact_in_every_batch() -> None:
    """Also of inputs so far from the mean that their coordinates end the range of a byte."""
    model = lifted.model(lifted.PICTURES, PICTURES, 100)
    form = QuadraticForm.of(model.regression)
    assert form is not None
    content = to_onnx(model, tiny_features.manifest(model, PICTURES[:4]))
    names = ["whole_coordinates", "whole_slopes"]
    session = ort.InferenceSession(with_outputs(content, names), providers=["CPUExecutionProvider"])
    signs = form.lift.projection.T > 0
    pictures = np.concatenate([PICTURES, (255 * signs).byte().numpy().reshape(-1, 12, 12)])
    coordinates = form.lift.coordinates(model.encoder.features(pictures, torch.float64))
    whole = (8 * coordinates).round().clamp(-128, 127).numpy().astype(np.int64)
    assert np.abs(whole).max() > 100
    products = whole @ form.numbers.astype(np.int64).reshape(-1, 100).T
    for size in SIZES:
        parts = [
            session.run(names, {"images": pictures[start : start + size]}) for start in range(0, len(pictures), size)
        ]
        np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]).astype(np.int64) - 128, whole)
        np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), products)


@pytest.mark.parametrize("statistic", [0, 1, 2])
def test_each_statistic_of_the_gate_is_that_of_torch(model: Model, statistic: int) -> None:
    """Also of black and white, and of the mean, whose residual and T^2 are about 0."""
    scales = torch.full((3,), 1e6, dtype=torch.float64)
    scales[statistic] = 0.5
    model = replace(model, components=replace(model.components, scales=scales))
    mean = model.components.mean.mul(255).round().byte().numpy().reshape(1, 12, 12)
    pictures = np.concatenate([PICTURES[:50], np.zeros_like(mean), np.full_like(mean, 255), mean])
    features = model.encoder.features(pictures, torch.float64)
    assert model.components.statistics(features).argmax(dim=1).eq(statistic).all()
    session = ort.InferenceSession(to_onnx(model, tiny_features.manifest(model, pictures[:4])))
    (ood_score,) = session.run(["ood_score"], {"images": pictures})
    np.testing.assert_allclose(ood_score, model.ood_score(pictures), rtol=2e-7)
    one_by_one = [session.run(["ood_score"], {"images": picture[None]})[0] for picture in pictures]
    np.testing.assert_array_equal(np.concatenate(one_by_one), ood_score)


def test_rounding_hardly_moves_the_logits(model: Model) -> None:
    features = model.encoder.features(PICTURES, torch.float64)
    unrounded = model.regression.to(dtype=torch.float64).logits(features)
    moved = (logits_of(model.regression)(features) - unrounded).square().mean().sqrt()
    assert 0 < moved < 0.02 * unrounded.std()


def test_products_of_nothing_add_nothing() -> None:
    regression = lifted.model(lifted.PICTURES, PICTURES, 8).regression
    assert regression.products is not None
    form = QuadraticForm.of(replace(regression, products=torch.zeros_like(regression.products)))
    assert form is not None
    features = lifted.PICTURES.features(PICTURES[:3], torch.float64)
    assert form.logits(features).eq(0).all()
