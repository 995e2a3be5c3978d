"""Several models in one service: their names, the default model, and files that fail their proof."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from service.app import create_app
from service.contract.errors import ModelError, SettingsError
from service.inference.classifier import Classifier
from service.registry import loading as models
from service.settings import Settings
from tests import tiny, tiny_features
from tests.service.canon import assert_problem

IMAGE = {"inputs": [[[255, 0]]]}
ROW = {"inputs": [{"age": 50, "sex": "f", "mass": 70}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of images, one of a table, and a file that is no model."""
    folder = tmp_path_factory.mktemp("models")
    tiny.write(folder).rename(folder / "pictures.onnx")
    tiny_features.write_table(folder).rename(folder / "patients.onnx")
    (folder / "broken.onnx").write_bytes(b"nothing")
    (folder / ".model.onnx-draft.tmp").write_bytes(b"a draft")
    (folder / "README.txt").write_text("not a model")
    return folder


@pytest.fixture(scope="module")
def several(folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(models=folder))) as client:
        yield client


def test_each_model_answers_under_the_name_of_its_file(several: TestClient, folder: Path) -> None:
    for name, body in (("pictures", IMAGE), ("patients", ROW)):
        answer = several.post(f"/models/{name}/predict", json=body).json()
        assert answer["model"] == {"name": name, "version": Classifier.load(folder / f"{name}.onnx").version}
        assert answer["predictions"][0]["label"] == "left"
        assert several.get(f"/models/{name}").json()["served_as"] == name
        assert several.get(f"/models/{name}/readyz").json() == {"status": "ready"}


def test_list_says_which_are_ready(several: TestClient, folder: Path) -> None:
    entries = several.get("/models").json()["models"]
    versions = {name: Classifier.load(folder / f"{name}.onnx").version for name in ("patients", "pictures")}
    assert entries == [
        {"name": "broken", "ready": False, "version": None, "kind": None, "default": False},
        {"name": "patients", "ready": True, "version": versions["patients"], "kind": "features", "default": False},
        {"name": "pictures", "ready": True, "version": versions["pictures"], "kind": "image", "default": False},
    ]


def test_routes_without_a_name_need_a_default(several: TestClient) -> None:
    for answer in (several.post("/predict", json=IMAGE), several.get("/model"), several.get("/drift")):
        assert_problem(answer, 404, "there is no default model: name one in the path, as /models/NAME/predict")
    assert several.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["", "/predict", "/readyz", "/drift", "/feedback"])
def test_unknown_name_and_name_of_a_refused_file(several: TestClient, path: str) -> None:
    method = "POST" if path == "/predict" else "GET"
    unknown = several.request(method, f"/models/cats{path}", content=b"{}")
    assert_problem(unknown, 404, "model cats does not exist: there are broken, patients, pictures")
    refused = several.request(method, f"/models/broken{path}", content=b"{}")
    assert_problem(refused, 503, "model broken did not pass its proof: the log says why")


def test_default_model_answers_the_routes_without_a_name(folder: Path) -> None:
    with TestClient(create_app(Settings(models=folder, default_model="patients"))) as client:
        for path in ("/predict", "/models/patients/predict"):
            assert client.post(path, json=ROW).json()["model"]["name"] == "patients"
        assert client.get("/model").json() == client.get("/models/patients").json()
        entries = client.get("/models").json()["models"]
        assert [entry["name"] for entry in entries if entry["default"]] == ["patients"]


def test_only_model_of_a_folder_is_the_default(tmp_path: Path) -> None:
    tiny.write(tmp_path)
    with TestClient(create_app(Settings(models=tmp_path))) as client:
        assert client.post("/predict", json=IMAGE).json()["model"]["name"] == "model"


def test_single_model_has_its_own_name(client: TestClient) -> None:
    assert client.post("/models/tiny/predict", json=IMAGE).json()["model"]["name"] == "tiny"
    assert [entry["name"] for entry in client.get("/models").json()["models"]] == ["tiny"]


def test_each_model_has_its_own_feedback_and_drift(folder: Path) -> None:
    with TestClient(create_app(Settings(models=folder))) as client:
        body = json.dumps({**IMAGE, "policy": {"never_abstain": True}})
        prediction = client.post("/models/pictures/predict", content=body, headers={"content-type": "application/json"})
        feedback = {"id": prediction.json()["predictions"][0]["id"], "label": "right"}
        assert client.post("/models/pictures/feedback", json=feedback).json()["errors"] == 1
        wrong = client.post("/models/patients/feedback", json=feedback)
        assert_problem(wrong, 422, "id is of model")
        assert len(client.get("/models/pictures/feedback").json()["policies"]) == 1
        assert client.get("/models/patients/feedback").json()["policies"] == []
        assert client.get("/models/pictures/drift").json()["inputs_since"] == 1
        assert client.get("/models/patients/drift").json()["inputs_since"] == 0


def test_proved_file_is_in_the_log_with_its_version_and_policy(
    tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "demur"):
        loaded = models.load(Settings(model_path=tiny_model))
    (record,) = caplog.records
    version = loaded.get(None).ref.version
    assert record.getMessage().startswith(f"model tiny {version} passed its proof; its default policy is never_abstain")


def test_refused_file_is_in_the_log_with_its_reason(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "demur"):
        models.load(Settings(models=folder))
    (record,) = caplog.records
    assert "model broken is not served" in record.getMessage()
    assert "is not a model that onnxruntime loads" in record.getMessage()


def test_start_fails_if_the_default_model_fails(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"broken\.onnx is not a model"):
        models.load(Settings(models=folder, default_model="broken"))


def test_start_fails_if_every_model_fails(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"^no model in .* passed its proof"):
        models.load(Settings(models=tmp_path))


def test_contradictory_settings(folder: Path, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(SettingsError, match=r"DEMUR_DEFAULT_MODEL=cats: is not one of broken, patients, pictures"):
        models.load(Settings(models=folder, default_model="cats"))
    with pytest.raises(SettingsError, match=r"DEMUR_DEFAULT_MODEL=tiny: only applies with DEMUR_MODELS"):
        models.load(Settings(model_path=tiny_model, default_model="tiny"))
    with pytest.raises(SettingsError, match=r"DEMUR_MODEL_NAME=shoes: only applies to a single model"):
        models.load(Settings(models=folder, model_name="shoes"))
    with pytest.raises(SettingsError, match=r"DEMUR_MODELS=.*: contains no \*\.onnx file"):
        models.load(Settings(models=tmp_path))
    with pytest.raises(SettingsError, match=r"DEMUR_MODELS=.*README.txt: is not a folder"):
        models.load(Settings(models=folder / "README.txt"))


def test_single_model_is_served_under_the_configured_name(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model, model_name="shoes"))) as client:
        assert [model["name"] for model in client.get("/models").json()["models"]] == ["shoes"]
        assert client.post("/models/shoes/predict", json={"inputs": [[0, 0]]}).json()["model"]["name"] == "shoes"
        assert client.get("/models/tiny").status_code == 404
        assert client.get("/model").json()["name"] == "tiny"
    with pytest.raises(ValidationError, match="pattern"):
        Settings(model_path=tiny_model, model_name="a/b")
