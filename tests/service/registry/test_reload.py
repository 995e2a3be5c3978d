"""A changed model file: swapped in if it passes, else refused while the old model continues to serve."""

import gc
import logging
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from service.app import create_app
from service.contract.errors import ModelError, SettingsError
from service.contract.policy import PolicyRequest
from service.http.access import keys
from service.inference.model_file import sha256
from service.settings import Settings
from tests import tiny, tiny_features, versions
from tests.service.canon import assert_problem
from tests.service.monitoring.metrics.scraped import Scraped, read

ALL = {"inputs": tiny.IMAGES.tolist()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of version 0."""
    file = tmp_path / "model.onnx"
    file.write_bytes(versions.good(0))
    return file


@contextmanager
def _serving(**settings: Any) -> Iterator[TestClient]:
    """A service that checks its files only when `_check` is called."""
    with TestClient(create_app(Settings(reload_seconds=0, **settings))) as client:
        yield client


def _check(client: TestClient, *, all_files: bool = False) -> None:
    client.app.state.reloader.check_files(all_files=all_files)  # type: ignore[attr-defined]


def _answer(client: TestClient) -> tuple[str, list[list[float]]]:
    answer = client.post("/predict", json=ALL).json()
    return answer["model"]["version"], [result["probabilities"] for result in answer["predictions"]]


def _expected(number: int) -> tuple[str, list[list[float]]]:
    file = versions.good(number)
    return versions.version_of(file), versions.probabilities(file, tiny.IMAGES)


def _scrape(client: TestClient) -> Scraped:
    return read(client.get("/metrics").text)


def _metric(client: TestClient, name: str, **labels: str) -> float:
    return _scrape(client).value(name, **labels)


def _reloads(client: TestClient, outcome: str) -> float:
    return _metric(client, "demur_model_reloads_total", model="tiny", outcome=outcome)


def test_good_file_is_swapped_in_and_named_by_every_answer(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with _serving(model_path=path) as client, caplog.at_level(logging.INFO, "demur"):
        assert _answer(client) == _expected(0)
        summary = client.get("/openapi.json").json()["info"]["summary"]
        assert _reloads(client, "swapped") == 0
        versions.publish(versions.good(1), path)
        assert _answer(client) == _expected(0)
        _check(client)
        old, new = _expected(0)[0], _expected(1)[0]
        assert _answer(client) == _expected(1)
        assert client.get("/model").json()["version"] == new
        assert client.get("/models").json()["models"][0]["version"] == new
        assert client.get("/v2/models/tiny").json()["versions"] == [new]
        assert client.get(f"/v2/models/tiny/versions/{old}").status_code == 404
        assert client.get("/openapi.json").json()["info"]["summary"] == summary.replace(old, new)
        assert _metric(client, "demur_model_info", model="tiny", version=new, kind="image") == 1
        assert _scrape(client).labels("demur_model_info", "version") == {new}
        assert _reloads(client, "swapped") == 1
        assert f"model tiny: now serving {new}, before {old}" in caplog.text


@pytest.mark.parametrize(("make", "reason"), versions.BAD.values(), ids=versions.BAD)
def test_bad_file_is_refused_once_and_the_old_model_continues_to_serve(
    path: Path, caplog: pytest.LogCaptureFixture, make: Any, reason: str
) -> None:
    with _serving(model_path=path) as client, caplog.at_level(logging.ERROR, "demur"):
        versions.publish(make(), path)
        _check(client)
        _check(client)
        assert _answer(client) == _expected(0)
        assert client.get("/readyz").status_code == 200
        explained = client.post("/explain", json={"inputs": ALL["inputs"][:1]})
        assert explained.json()["model"]["version"] == _expected(0)[0]
        (record,) = caplog.records
        assert f"model tiny: new file refused, still serving {_expected(0)[0]}: " in record.getMessage()
        assert reason in record.getMessage()
        assert record.exc_info is None
        assert (_reloads(client, "refused"), _reloads(client, "swapped")) == (1, 0)
        assert _metric(client, "demur_model_file_refused", model="tiny") == 1
        _check(client, all_files=True)
        assert _reloads(client, "refused") == 2
        versions.publish(versions.good(2), path)
        _check(client)
        assert _answer(client) == _expected(2)
        assert _metric(client, "demur_model_file_refused", model="tiny") == 0


def test_file_that_is_too_large_is_not_read(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with _serving(model_path=path) as client:
        versions.publish_sparse(2**30, path)
        _check(client)
        assert _answer(client) == _expected(0)
    assert "is larger than the limit of 268435456 bytes" in caplog.text


def test_pipe_and_folder_do_not_block(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with _serving(model_path=path) as client:
        path.unlink()
        os.mkfifo(path)
        _check(client)
        assert _answer(client) == _expected(0)
        path.unlink()
        path.mkdir()
        _check(client)
        assert _answer(client) == _expected(0)
    assert "it is not a file" in caplog.text
    assert "Is a directory" in caplog.text


def test_restored_file_no_longer_counts_as_refused(path: Path) -> None:
    with _serving(model_path=path) as client:
        versions.publish(b"nothing", path)
        _check(client)
        versions.publish(versions.good(0), path)
        _check(client)
        assert _metric(client, "demur_model_file_refused", model="tiny") == 0
        assert _reloads(client, "swapped") == 0


def test_model_outlives_its_file(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with _serving(model_path=path) as client, caplog.at_level(logging.WARNING, "demur"):
        path.unlink()
        _check(client)
        _check(client)
        _check(client, all_files=True)
        assert _answer(client) == _expected(0)
        (record,) = caplog.records
        assert record.getMessage().endswith(f"model.onnx was removed; model tiny {_expected(0)[0]} is still served")
        versions.publish(versions.good(1), path)
        _check(client)
        assert _answer(client) == _expected(1)


def test_symlink_changed_by_kubernetes_is_followed(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "model.onnx").write_bytes(versions.good(number))
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "model.onnx").symlink_to("..data/model.onnx")
    with _serving(model_path=tmp_path / "model.onnx") as client:
        (tmp_path / "..new").symlink_to("..1")
        (tmp_path / "..new").replace(tmp_path / "..data")
        _check(client)
        assert _answer(client) == _expected(1)


def test_only_the_pinned_file_is_served(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pin = sha256(versions.good(0))
    with _serving(model_path=path, model_sha256=pin) as client:
        versions.publish(versions.good(1), path)
        _check(client)
        assert _answer(client) == _expected(0)
        other = sha256(versions.good(1))
        assert f"model.onnx has the SHA-256 {other}, but {pin} is pinned" in caplog.text
    with pytest.raises(ModelError, match=f"has the SHA-256 {other}, but {pin} is pinned"):
        create_app(Settings(model_path=path, model_sha256=pin))
    with pytest.raises(SettingsError, match=r"DEMUR_MODEL_SHA256=.*: only applies to a single model"):
        create_app(Settings(models=path.parent, model_sha256=pin))
    with pytest.raises(ValidationError, match="model_sha256"):
        Settings(model_sha256=pin[:-1])


def test_model_without_the_default_policy_is_refused(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    certified = versions.good(0)
    with _serving(model_path=path, default_policy=PolicyRequest(selective_risk=0.1)) as client:
        assert versions.uncertified() != certified
        versions.publish(versions.uncertified(), path)
        _check(client)
        assert _answer(client) == _expected(0)
    assert "DEMUR_DEFAULT_POLICY, for model tiny: policy.selective_risk=0.1 is not certified" in caplog.text


def test_each_version_has_its_own_feedback_and_drift(path: Path) -> None:
    with _serving(model_path=path) as client:
        first = client.post("/predict", json=ALL).json()
        feedback = {"id": first["predictions"][1]["id"], "label": "right"}
        assert client.post("/feedback", json=feedback).json()["errors"] == 1
        versions.publish(versions.good(1), path)
        _check(client)
        assert client.get("/feedback").json()["policies"] == []
        assert client.get("/drift").json()["inputs_since"] == 0
        old, new = _expected(0)[0], _expected(1)[0]
        assert_problem(client.post("/feedback", json=feedback), 422, f"id is of model {old}, and this is {new}")
        second = client.post("/predict", json=ALL).json()
        assert client.post("/feedback", json={**feedback, "id": second["predictions"][1]["id"]}).json()["errors"] == 1
        assert client.get("/drift").json()["inputs_since"] == 4
        assert _metric(client, "demur_inputs_total", model="tiny") == 8  # a counter goes on
        assert _metric(client, "demur_confidence_count", model="tiny") == 8


def test_replaced_model_is_freed_at_once(path: Path) -> None:
    with _serving(model_path=path) as client:
        for number in (1, 2):
            _answer(client)
            client.get("/openapi.json")
            _scrape(client)
            held = weakref.ref(client.app.state.registry.models.get(None).predictor)  # type: ignore[attr-defined]
            gc.disable()
            try:
                versions.publish(versions.good(number), path)
                _check(client)
                _answer(client)
                assert held() is None
            finally:
                gc.enable()


def test_reload_during_the_drain_does_not_reopen_the_fast_lane(path: Path) -> None:
    with _serving(model_path=path) as client:
        client.app.state.drain.begin()  # type: ignore[attr-defined]
        versions.publish(versions.good(1), path)
        _check(client)
        assert _answer(client) == _expected(1)
        assert client.app.state.lane.endpoints == {}  # type: ignore[attr-defined]


def test_files_of_a_folder_are_added_repaired_and_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    a, b, c = (tmp_path / f"{name}.onnx" for name in "abc")
    a.write_bytes(versions.good(0))
    b.write_bytes(b"nothing")
    (tmp_path / "elsewhere").mkdir()
    with _serving(models=tmp_path, default_model="a") as client, caplog.at_level(logging.INFO, "demur"):
        assert [(m["name"], m["ready"]) for m in client.get("/models").json()["models"]] == [("a", True), ("b", False)]
        versions.publish(versions.good(1), b)
        versions.publish(tiny_features.write_table(tmp_path / "elsewhere").read_bytes(), c)
        _check(client)
        assert [(m["name"], m["ready"]) for m in client.get("/models").json()["models"]] == [
            ("a", True),
            ("b", True),
            ("c", True),
        ]
        assert client.post("/models/b/predict", json=ALL).json()["model"]["version"] == _expected(1)[0]
        row = {"inputs": [{"age": 50, "sex": "f", "mass": 70}]}
        assert client.post("/models/c/predict", json=row).json()["model"]["name"] == "c"
        assert "/models/{name}/predict" in client.get("/openapi.json").json()["paths"]
        assert _answer(client) == _expected(0)  # the default is unchanged
        (tmp_path / "d.onnx").write_bytes(b"nothing")
        b.unlink()
        _check(client)
        assert client.get("/models/d").status_code == 503
        assert client.post("/models/b/predict", json=ALL).status_code == 200
        a.unlink()
        _check(client, all_files=True)
        assert_problem(client.post("/models/b/predict", json=ALL), 404, "model b does not exist: there are a, c, d")
        assert _answer(client) == _expected(0)
        assert "model b is no longer served: its file was removed" in caplog.text


def test_last_model_of_a_folder_stays(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.onnx").write_bytes(versions.good(0))
    with _serving(models=tmp_path) as client:
        for name in "ab":
            (tmp_path / f"{name}.onnx").unlink()
        (tmp_path / "c.onnx").write_bytes(b"nothing")
        _check(client, all_files=True)
        assert client.post("/models/a/predict", json=ALL).status_code == 200
        assert client.post("/models/b/predict", json=ALL).status_code == 200


def test_api_description_names_the_keys_after_a_swap_too(path: Path, tmp_path: Path) -> None:
    presented, key = keys.new("one", frozenset({"predict"}))
    (tmp_path / "keys").write_text(f"{key.line()}\n")
    with _serving(model_path=path, api_keys=tmp_path / "keys") as client:
        client.headers["x-api-key"] = presented
        before = client.get("/openapi.json").json()
        versions.publish(versions.good(1), path)
        _check(client)
        after = client.get("/openapi.json").json()
        assert after["info"]["summary"] != before["info"]["summary"]
        assert after["paths"]["/predict"]["post"]["security"] == before["paths"]["/predict"]["post"]["security"] != []
