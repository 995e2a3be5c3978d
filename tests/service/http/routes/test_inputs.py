"""`POST /inputs` and `GET /samples`: what the model sees, in a form that `/predict` takes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.app import create_app
from service.settings import Settings
from tests import tiny, tiny_features, tiny_tokens
from tests.service.arrays import npy
from tests.service.asking import NPY, RAW, base64_of
from tests.service.canon import assert_problem
from tests.service.pictures import encoded
from training.publishing.export import to_onnx

WRITERS: dict[str, Callable[[Path], Path]] = {
    "pictures": tiny.write,
    "table": tiny_features.write_table,
    "embeddings": tiny_features.write_embedding,
    "tokens": tiny_tokens.write,
}


@pytest.fixture(params=WRITERS)
def any_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(model_path=WRITERS[request.param](tmp_path)))) as client:
        yield client


def test_samples_are_the_golden_vectors_as_a_body_for_predict(any_kind: TestClient) -> None:
    for path in ("/samples", "/models/tiny/samples"):
        samples = any_kind.get(path)
        assert list(samples.json()) == ["inputs"]
        answer = any_kind.post("/predict", content=samples.content, headers={"content-type": "application/json"}).json()
        golden = any_kind.app.state.registry.models.get(None).manifest.golden  # type: ignore[attr-defined]
        probabilities = [prediction["probabilities"] for prediction in answer["predictions"]]
        np.testing.assert_allclose(probabilities, golden.probabilities, atol=1e-6)


def test_shown_inputs_are_stable(any_kind: TestClient) -> None:
    samples = any_kind.get("/samples").json()
    assert any_kind.post("/inputs", json=samples).json() == samples


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (json.dumps({"inputs": [[255, 7]]}), "application/json"),
        (json.dumps({"inputs": [base64_of(np.array([255, 7], np.uint8))]}), "application/json"),
        (bytes([255, 7]), RAW),
        (npy(np.array([[255, 7]], np.uint8)), NPY),
        (encoded(Image.fromarray(np.array([[255, 7]], np.uint8))), "image/png"),
    ],
    ids=["numbers", "base64", "bytes", "npy", "png"],
)
def test_every_form_of_a_picture_is_shown_as_its_pixels(client: TestClient, body: bytes, media_type: str) -> None:
    answer = client.post("/inputs", content=body, headers={"content-type": media_type})
    assert (answer.status_code, answer.json()) == (200, {"inputs": [[[255, 7]]]})


def test_picture_is_fitted_and_inverted_as_for_predict(client: TestClient) -> None:
    photo = encoded(Image.new("RGB", (40, 20), (200, 200, 200)))
    for query, level in (("resize=true", 200), ("resize=true&invert=true", 55)):
        answer = client.post(f"/inputs?{query}", content=photo, headers={"content-type": "image/png"})
        assert answer.json() == {"inputs": [[[level, level]]]}
        again = client.post("/predict", json=answer.json()).json()["predictions"][0]["probabilities"]
        direct = client.post(f"/predict?{query}", content=photo, headers={"content-type": "image/png"})
        assert again == direct.json()["predictions"][0]["probabilities"]


def test_form_of_files(client: TestClient) -> None:
    files = [("file", ("x.png", encoded(Image.new("L", (2, 1), level)), "image/png")) for level in (1, 2)]
    assert client.post("/inputs", files=files).json() == {"inputs": [[[1, 1]], [[2, 2]]]}


def test_table_shows_missing_and_unknown_values(tmp_path: Path) -> None:
    sent = [{"age": 40, "sex": None, "mass": 70}, {"age": None, "sex": "x", "mass": 90}]
    with TestClient(create_app(Settings(model_path=tiny_features.write_table(tmp_path, "mean")))) as client:
        shown = client.post("/inputs", json={"inputs": sent}).json()["inputs"]
    assert shown == [{"age": 40, "sex": None, "mass": 70}, {"age": None, "sex": "", "mass": 90}]


def test_tokens_outside_the_vocabulary_are_unknown(tmp_path: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_tokens.write(tmp_path)))) as client:
        assert client.post("/inputs", json={"inputs": [["who", 1]]}).json() == {"inputs": [["<unknown>", "a"]]}


def test_invalid_requests_are_refused(client: TestClient) -> None:
    assert_problem(client.post("/inputs", json={"inputs": []}), 422, "inputs is empty")
    assert_problem(client.post("/inputs", json={}), 422, "inputs is missing")
    assert_problem(client.post("/inputs", json={"inputs": "all"}), 422, 'inputs is "all": it must be a list')
    assert_problem(client.post("/inputs", json={"inputs": [[0, 0]], "top_k": 1}), 422, "top_k: no such field")
    assert_problem(client.post("/inputs?resize=true", json={"inputs": [[0, 0]]}), 422, "the options belong in the body")
    assert_problem(client.post("/inputs?top_k=1", content=bytes(2), headers={"content-type": RAW}), 422, "top_k")
    assert_problem(
        client.post("/inputs", content=b"x", headers={"content-type": "text/x"}), 415, "text/x is not supported"
    )
    many = client.post("/inputs", content=bytes(34), headers={"content-type": RAW})
    assert_problem(many, 413, "there are 17 inputs: at most 16 are shown in one request")
    assert_problem(client.post("/models/none/inputs", json={"inputs": [[0, 0]]}), 404, "none does not exist")
    assert_problem(client.get("/models/none/samples"), 404, "none does not exist")


def test_samples_of_a_file_with_many_golden_vectors(tmp_path: Path) -> None:
    manifest = tiny.manifest()
    images = np.repeat(tiny.IMAGES, 5, axis=0)
    golden = manifest.golden.model_copy(
        update={
            "inputs": base64_of(images),
            "probabilities": np.repeat(tiny.PROBABILITIES, 5, axis=0).tolist(),
            "ood_scores": np.repeat(tiny.OOD_SCORES, 5).tolist(),
        }
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, manifest.model_copy(update={"golden": golden})))
    with TestClient(create_app(Settings(model_path=path))) as client:
        assert client.get("/samples").json()["inputs"] == images[:16].tolist()


def test_samples_can_be_withheld(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model, samples=False))) as client:
        assert client.get("/samples").json() == {"inputs": []}
