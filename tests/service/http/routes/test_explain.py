"""`POST /explain`: contributions to a logit, computed by hand and compared with `/predict`."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image

from service.app import create_app
from service.contract.inputs import ImageInput
from service.inference.classifier import Classifier
from service.inference.explainer import Explainer
from service.inference.readers.as_json import contributions_as_json
from service.settings import Settings
from tests import lifted, tiny, tiny_features, tiny_tokens
from tests.service.canon import assert_problem
from tests.service.pictures import encoded
from training.data.encoders import Encoder, FeatureEncoder, ImageEncoder, TokenEncoder
from training.fitting.regression import SoftmaxRegression
from training.publishing.model import Model, logits_of
from training.publishing.quadratic_form import QuadraticForm

RAW = {"content-type": "application/octet-stream"}
LOG9 = math.log(9)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(model_path=tiny_features.write_table(tmp_path)))) as client:
        yield client


def _explained(client: TestClient, **body: Any) -> list[dict[str, Any]]:
    answer = client.post("/explain", json=body)
    assert answer.status_code == 200, answer.text
    explanations: list[dict[str, Any]] = answer.json()["explanations"]
    return explanations


def test_pixels_of_the_likeliest_label(client: TestClient) -> None:
    (explanation,) = _explained(client, inputs=[[[255, 0]]])
    assert explanation["label"] == "left"
    assert explanation["bias"] == 0
    assert explanation["probability"] == pytest.approx(9 / 11)
    assert explanation["logit"] == pytest.approx(LOG9)
    assert explanation["contributions"] == [[pytest.approx(LOG9), 0]]


def test_requested_label_is_explained(client: TestClient) -> None:
    dark, right = (_explained(client, inputs=[[[255, 51]]], label=label)[0] for label in ("dark", "right"))
    assert dark["contributions"] == [[0, 0]]
    assert right["contributions"] == [[0, pytest.approx(LOG9 / 5)]]


def test_columns_by_name(rows: TestClient) -> None:
    records = [{"age": 60, "sex": "m", "mass": 70}, {"age": 30, "sex": "x", "mass": 90}]
    by_age = _explained(rows, inputs=records, label="left")
    assert by_age[0]["contributions"] == {"age": pytest.approx(2 * LOG9), "sex": 0, "mass": 0}
    assert by_age[1]["contributions"] == {"age": pytest.approx(-LOG9), "sex": 0, "mass": 0}
    by_sex = _explained(rows, inputs=records, label="right")
    assert [list(explanation["contributions"].values()) for explanation in by_sex] == [
        [0, pytest.approx(LOG9), 0],
        [0, 0, 0],
    ]


def test_tokens_by_position(tmp_path: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_tokens.write(tmp_path)))) as client:
        (explanation,) = _explained(client, inputs=[["b", "a"]], label="right")
    assert explanation["contributions"] == [0, pytest.approx(LOG9)]


def test_numbers_of_an_embedding(embedding: TestClient) -> None:
    (explanation,) = _explained(embedding, inputs=[[1, 0.5]], label="right")
    assert explanation["contributions"] == [0, pytest.approx(LOG9 / 2)]


def _random(kind: str, random: np.random.Generator) -> tuple[Encoder, NDArray[Any]]:
    """An encoder of each kind, and inputs."""
    if kind == "features":
        inputs: NDArray[Any] = random.normal(50, 30, (9, 3)).astype(np.float32)
        inputs[:, 1] = np.arange(9) % 3 - 1
        inputs[0, 0] = np.nan
        return FeatureEncoder(tiny_features.table("mean"), np.array([40.0, 70.0]), np.array([10.0, 20.0])), inputs
    if kind == "tokens":
        return TokenEncoder(tiny_tokens.KIND, random.normal(size=(3, 4)).astype(np.float32)), random.integers(
            0, 3, (9, 2)
        )
    return ImageEncoder(ImageInput(height=4, width=5, channels=3)), random.integers(
        0, 256, (9, 4, 5, 3), dtype=np.uint8
    )


def _linear(encoder: Encoder, random: np.random.Generator) -> Model:
    """Random weights, biases and temperature."""
    weights, biases = random.normal(size=(encoder.width, 3)), random.normal(size=3)
    regression = SoftmaxRegression(torch.tensor(weights).float(), torch.tensor(biases).float())
    return Model(encoder, regression, 1.7, tiny_features.components(encoder.width))


@pytest.mark.parametrize("lift", [0, 2, 4])  # with 2 coordinates and 3 classes the graph gathers products
@pytest.mark.parametrize("kind", ["image", "features", "tokens"])
def test_softmax_of_the_explained_logits_is_the_probabilities(kind: str, lift: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    encoder, inputs = _random(kind, random)
    model = lifted.model(encoder, inputs, lift) if lift else _linear(encoder, random)
    classifier = Classifier.load(tiny_features.write(tmp_path, model, inputs))
    parts = Explainer(classifier).parts(inputs)
    logits = np.zeros((len(inputs), 3))
    for row, label in np.ndindex(*logits.shape):
        shaped = contributions_as_json(encoder.kind, parts.contributions(row, label))
        values = list(shaped.values()) if isinstance(shaped, dict) else shaped
        assert np.shape(values) == encoder.kind.row_shape
        logits[row, label] = np.sum(values) + parts.biases[label]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, classifier.scores(inputs).probabilities, atol=5e-6 if lift else 1e-7)
    np.testing.assert_array_equal(parts.probabilities, classifier.scores(inputs).probabilities)


@pytest.mark.parametrize("components", [2, 64, 70])
def test_contributions_of_a_lift_are_integrated_gradients_from_the_mean(components: int, tmp_path: Path) -> None:
    pictures = lifted.pictures(200)
    model = lifted.model(lifted.PICTURES, pictures, components)
    parts = Explainer(Classifier.load(tiny_features.write(tmp_path, model, pictures[:2]))).parts(pictures[:2])
    form = QuadraticForm.of(model.regression)
    assert form is not None
    matrices, lift = torch.from_numpy(form.numbers * form.units[:, None, None]), form.lift
    features = model.encoder.features(pictures[:2], torch.float64)

    def logits(features: torch.Tensor) -> torch.Tensor:
        z = lift.coordinates(features)
        quadratic = torch.einsum("nj,cjk,nk->nc", z, matrices, z) - torch.einsum("cjj->c", matrices)
        return (features @ model.regression.weights.double() + model.regression.biases + quadratic) / model.temperature

    shares = (torch.arange(50, dtype=torch.float64) + 0.5) / 50
    for row, label in np.ndindex(2, 3):
        path = (lift.mean + shares[:, None] * (features[row] - lift.mean)).requires_grad_()
        (gradients,) = torch.autograd.grad(logits(path)[:, label].sum(), path)
        expected = gradients.mean(dim=0) * (features[row] - lift.mean)
        contributions = parts.contributions(row, label)
        scale = 1e-9 if form.gathered else 0.01 * float(expected.abs().max())  # without and with rounded coordinates
        np.testing.assert_allclose(contributions, expected.numpy(), atol=scale)
        assert parts.biases[label] == pytest.approx(float(logits(lift.mean[None])[0, label]), abs=1e-9)
        rounded = logits_of(model.regression)(features[row][None])[0, label] / model.temperature
        assert parts.biases[label] + contributions.sum() == pytest.approx(float(rounded), abs=1e-9)


def test_other_bodies_with_options_in_the_query(client: TestClient) -> None:
    (expected,) = _explained(client, inputs=[[[0, 255]]], label="left")
    picture = encoded(Image.fromarray(255 - tiny.IMAGES[2]))
    by_form = client.post("/explain?label=left&invert=true", files={"f": ("a.png", picture, "image/png")})
    by_bytes = client.post("/models/tiny/explain?label=left", content=bytes([0, 255]), headers=RAW)
    assert by_form.json() == by_bytes.json() == {"model": by_form.json()["model"], "explanations": [expected]}


def test_invalid_requests_are_refused(client: TestClient) -> None:
    image = [[0, 0]]
    answer = client.post("/explain", json={"inputs": [image], "label": "boot"})
    assert_problem(answer, 422, 'label="boot" is not one of dark, left, right')
    assert_problem(client.post("/explain", json={"inputs": [image] * 17}), 413, "17 inputs: at most 16 are explained")
    assert_problem(client.post("/explain", json={"inputs": [image], "top_k": 1}), 422, "top_k: no such field")
    assert_problem(client.post("/explain?label=left", json={"inputs": [image]}), 422, "belong in the body")
    assert_problem(client.post("/explain?label=a&label=b", content=b"ab", headers=RAW), 422, "label is given more than")
    assert_problem(
        client.post("/explain", content=b"a", headers={"content-type": "text/x"}), 415, "text/x is not supported"
    )
    assert_problem(client.post("/explain", json={"inputs": []}), 422, "inputs is empty")


def test_file_is_not_read_again(tmp_path: Path) -> None:
    path = tiny.write(tmp_path)
    with TestClient(create_app(Settings(model_path=path))) as client:
        path.unlink()
        assert len(_explained(client, inputs=[[[0, 0]]])) == 1


def test_graph_of_other_names(tmp_path: Path) -> None:
    path = tiny.write(tmp_path)
    model = onnx.load(path)
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["other" if name == "levels" else name for name in names]
    onnx.save(model, path)
    with TestClient(create_app(Settings(model_path=path))) as client:
        assert client.post("/predict", json={"inputs": [[[0, 0]]]}).status_code == 200
        assert_problem(client.post("/explain", json={"inputs": [[[0, 0]]]}), 409, "this model cannot be explained")
