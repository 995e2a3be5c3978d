"""The service audits a share of its answers, and keeps feedback in a file that it can use."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.contract.errors import SettingsError
from service.inference.prediction_id import PredictionId
from service.registry.loading import load
from service.settings import Settings
from tests import tiny
from tests.service.canon import assert_problem
from tests.service.http.server.test_processes import _wait_until

RAW = {"content-type": "application/octet-stream"}


def _predict(client: TestClient, rows: int = 1) -> list[dict[str, Any]]:
    predictions: list[dict[str, Any]] = client.post(
        "/predict?selective_risk=0.1", content=bytes([255, 0]) * rows, headers=RAW
    ).json()["predictions"]
    return predictions


@pytest.fixture
def lasting(tiny_model: Path, tmp_path: Path) -> Settings:
    """Settings of a service that keeps feedback in a file and audits every answer."""
    return Settings(model_path=tiny_model, audit_share=1, feedback_path=tmp_path / "feedback")


def test_share_of_the_answers_is_audited_and_marked(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model, audit_share=0.5))) as client:
        predictions = _predict(client, 400)
        assert {PredictionId.decode(prediction["id"]).audit == prediction["audit"] for prediction in predictions} == {
            True
        }
        assert 120 < sum(prediction["audit"] for prediction in predictions) < 280  # 200, and 8 standard deviations
        abstained = client.post("/predict?threshold=0.99", content=bytes([255, 0]) * 100, headers=RAW).json()
        assert not any(prediction["audit"] for prediction in abstained["predictions"])


def test_no_answer_is_audited_where_all_labels_count(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model, audit_share=1, feedback_counts="all"))) as client:
        first, second = _predict(client, 2)
        assert not first["audit"]
        state = client.post("/feedback", json={"id": second["id"], "label": "left"}).json()
        assert (state["judged"], state["waiting"]) == (1, 0)


def test_audited_answers_are_registered_within_a_second_and_at_the_end(lasting: Settings) -> None:
    with TestClient(create_app(lasting)) as client:
        predictions = _predict(client, 3)
        _wait_until(lambda: _registered(lasting) == 3)
        predictions += _predict(client, 2)
    assert _registered(lasting) == 5
    with TestClient(create_app(lasting)) as client:
        state = client.post("/feedback", json={"id": predictions[0]["id"], "label": "left"}).json()
        assert (state["judged"], state["waiting"]) == (1, 4)
        assert client.get("/feedback").json()["policies"] == [state]


def _registered(settings: Settings) -> int:
    """The number of audited answers in the file."""
    database = sqlite3.connect(settings.feedback_path or "", timeout=10)
    try:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        return int(database.execute("SELECT count(*) FROM audits").fetchone()[0]) if "audits" in tables else 0
    finally:
        database.close()


def test_repeated_old_id_is_refused_with_the_rule(tiny_model: Path) -> None:
    settings = Settings(model_path=tiny_model, max_feedback=2, feedback_counts="all")
    with TestClient(create_app(settings)) as client:
        ids = [prediction["id"] for prediction in _predict(client, 4)]
        for identity in ids:
            assert client.post("/feedback", json={"id": identity, "label": "left"}).json()["errors"] == 0
        again = client.post("/feedback", json={"id": ids[0], "label": "left"})
        assert_problem(again, 422, f"id={ids[0]} is older than the remembered labels")
        (state,) = client.get("/feedback").json()["policies"]
        assert state["answered"] == 4


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)


def _of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (id INTEGER)")
    database.close()


def _of_another_form(path: Path) -> None:
    load(Settings(model_path=tiny.write(path.parent), feedback_path=path))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


WRONG = {
    "no database": (_not_a_database, "SQLite cannot keep feedback there: file is not a database"),
    "of another program": (_of_another_program, "it is a database of another program"),
    "of another form": (_of_another_form, "its tables have version 99, and this service reads version 1"),
    "a folder": (Path.mkdir, "SQLite cannot keep feedback there: unable to open database file"),
}


@pytest.mark.parametrize(("spoil", "message"), WRONG.values(), ids=WRONG)
def test_file_that_cannot_keep_feedback_is_a_wrong_setting(
    tiny_model: Path, tmp_path: Path, spoil: Any, message: str
) -> None:
    path = tmp_path / "feedback"
    spoil(path)
    with pytest.raises(SettingsError, match=f"DEMUR_FEEDBACK_PATH={path}: {message}"):
        create_app(Settings(model_path=tiny_model, feedback_path=path))


def test_folder_of_the_file_must_exist(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"DEMUR_FEEDBACK_PATH=.*nowhere is not a folder"):
        create_app(Settings(model_path=tiny_model, feedback_path=tmp_path / "nowhere" / "feedback"))
