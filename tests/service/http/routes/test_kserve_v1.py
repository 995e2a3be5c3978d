"""KServe's first protocol over HTTP, with the tiny model, whose answers are worked out in `tests/tiny.py`."""

import logging
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.http.schemas.predict import PredictResponse
from service.settings import Settings
from tests import tiny, tiny_features, tiny_tokens

TABLE_ROW = {"age": 40, "sex": "f", "mass": 70}
PREDICT = "/v1/models/tiny:predict"
EXPLAIN = "/v1/models/tiny:explain"


def _ask(client: TestClient, path: str = PREDICT, **body: Any) -> httpx2.Response:
    return client.post(path, json=body)


def _but_for_ids(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert all(prediction.pop("id") for prediction in body["predictions"])
    assert {prediction.pop("audit") for prediction in body["predictions"]} <= {True, False}
    return body


def _assert_error(answer: httpx2.Response, status: int, fragment: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error"}
    assert fragment in answer.json()["error"]


def test_models_and_their_readiness(client: TestClient) -> None:
    assert client.get("/v1/models").json() == {"models": ["tiny"]}
    assert client.get("/v1/models/tiny").json() == {"name": "tiny", "ready": True}


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", None])
def test_predictions_are_those_of_predict(client: TestClient, media_type: str | None) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    response = client.post(PREDICT, content=b'{"instances": [[0, 0], [[255, 0]]]}', headers=headers)
    assert response.status_code == 200, response.text
    PredictResponse.model_validate(response.json())
    expected = client.post("/predict", json={"inputs": [[0, 0], [[255, 0]]]})
    assert _but_for_ids(response) == _but_for_ids(expected)


def test_large_body_is_answered_alike(client: TestClient) -> None:
    images = [[0, 255]] * 1000
    response = client.post(PREDICT, content=f'{{"instances": {images}}}{" " * 70_000}')
    assert _but_for_ids(response) == _but_for_ids(client.post("/predict", json={"inputs": images}))


@pytest.mark.parametrize(
    "parameters",
    [
        {"threshold": 0.8},
        {"selective_risk": 0.1},
        {"never_abstain": True},
        {"reject_cost": 0.2, "top_k": 1},
        {"probabilities": False, "set_coverage": 0.9, "set_method": "lac", "invert": True},
    ],
    ids=str,
)
def test_parameters_are_the_options_of_a_query_string(client: TestClient, parameters: dict[str, Any]) -> None:
    response = _ask(client, instances=tiny.IMAGES.tolist(), parameters=parameters)
    query = {name: str(value) if isinstance(value, bool) else value for name, value in parameters.items()}
    raw = {"content-type": "application/octet-stream"}
    expected = client.post("/predict", content=tiny.IMAGES.tobytes(), params=query, headers=raw)
    assert _but_for_ids(response) == _but_for_ids(expected)


@pytest.mark.parametrize("parameters", [None, {}])
def test_no_parameters_and_other_keys_mean_nothing(client: TestClient, parameters: dict[str, Any] | None) -> None:
    response = _ask(client, instances=[[0, 0]], parameters=parameters, signature_name="serving_default")
    assert _but_for_ids(response) == _but_for_ids(_ask(client, instances=[[0, 0]]))


def test_feedback_is_given_by_the_id_of_a_prediction(client: TestClient) -> None:
    (prediction,) = _ask(client, instances=[[255, 0]]).json()["predictions"]
    feedback = client.post("/feedback", json={"id": prediction["id"], "label": "left"})
    assert (feedback.json()["answered"], feedback.json()["errors"]) == (1, 0)


@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        ({}, "instances is missing"),
        ({"instances": {}}, "instances is an object: it must be a list, also for one: [...]"),
        ({"instances": []}, "instances is empty"),
        ({"instances": [[0, 0], [0, 256]]}, "instances[1]"),
        ({"instances": [[0, 0], None]}, "instances[1] is null"),
        ({"instances": ["!"]}, "instances[0] is not base64"),
        ({"instances": [[0, 0]], "parameters": 3}, "parameters=3: input should be a valid dictionary"),
        ({"instances": [[0, 0]], "parameters": {"treshold": 0.8}}, "treshold: no such field"),
        ({"instances": [[0, 0]], "parameters": {"threshold": 2}}, "threshold=2"),
        ({"instances": [[0, 0]], "parameters": {"threshold": 0.5, "reject_cost": 1}}, "exactly one of"),
        ({"instances": [[0, 0]], "parameters": {"policy": {"threshold": 0.5}}}, "parameters.policy: no such field"),
        ({"instances": [[0, 0]], "parameters": {"selective_risk": 0.33}}, "parameters.selective_risk=0.33"),
        ({"instances": [[0, 0]], "parameters": {"top_k": 9}}, "top_k=9 is out of range: 1 to 3"),
        ({"instances": [[0, 0]], "parameters": {"top_k": "1"}}, 'top_k="1"'),
    ],
    ids=str,
)
def test_errors_name_fields_as_the_client_writes_them(client: TestClient, body: dict[str, Any], fragment: str) -> None:
    answer = _ask(client, **body)
    _assert_error(answer, 400, fragment)
    assert "inputs" not in answer.json()["error"]


def test_errors_have_the_shape_of_the_protocol(client: TestClient) -> None:
    _assert_error(client.post(PREDICT, content=b"{"), 400, "not JSON")
    _assert_error(client.post(PREDICT, content=b'{"instances": [], "instances": [[0, 0]]}'), 400, "more than once")
    _assert_error(client.post(PREDICT, content=b"[]"), 400, "it must be an object that holds instances")
    _assert_error(_ask(client, instances=[[0, 0]] * 1025), 413, "instances holds 1025 images")
    _assert_error(client.post(PREDICT, content=b"", headers={"content-encoding": "gzip"}), 415, "content encoding")
    _assert_error(_ask(client, "/v1/models/none:predict", instances=[[0, 0]]), 404, "model none does not exist")
    for path in ("/v1/models/none", "/v1/models/tiny:predict", "/v1/nothing", "/v1"):
        _assert_error(client.get(path), 404)
    _assert_error(client.post("/v1/models/tiny"), 405)
    assert client.options("/v1/models/tiny:predict").headers["allow"] == "POST"


def test_model_that_is_not_ready_is_503(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny.write(tmp_path).rename(tmp_path / "a.onnx")
    (tmp_path / "b.onnx").write_bytes(b"nothing")
    with caplog.at_level(logging.ERROR, "demur"), TestClient(create_app(Settings(models=tmp_path))) as client:
        assert client.get("/v1/models").json() == {"models": ["a", "b"]}
        _assert_error(client.get("/v1/models/b"), 503)
        _assert_error(_ask(client, "/v1/models/b:predict", instances=[[0, 0]]), 503)
        assert len(_ask(client, "/v1/models/a:predict", instances=[[0, 0]]).json()["predictions"]) == 1


def test_rows_and_tokens(tmp_path: Path) -> None:
    table, embedding, tokens = tiny_features.write_table, tiny_features.write_embedding, tiny_tokens.write
    for write, good, bad in (
        (table, TABLE_ROW, {**TABLE_ROW, "age": "old"}),
        (embedding, [0.0, 1.0], [0.0]),
        (tokens, ["a", "b"], ["a"]),
    ):
        with TestClient(create_app(Settings(model_path=write(tmp_path)))) as client:
            (name,) = client.get("/v1/models").json()["models"]
            path = f"/v1/models/{name}:predict"
            response = _ask(client, path, instances=[good, good])
            assert response.status_code == 200, response.text
            assert len(response.json()["predictions"]) == 2
            _assert_error(_ask(client, path, instances=[good, bad]), 400, "instances[1]")


def test_explanations_are_those_of_explain(client: TestClient) -> None:
    cases: list[dict[str, Any]] = [{}, {"label": "right", "invert": True}]
    for options in cases:
        response = _ask(client, EXPLAIN, instances=[[0, 255], [255, 0]], parameters=options)
        assert response.status_code == 200, response.text
        assert response.json() == client.post("/explain", json={"inputs": [[0, 255], [255, 0]], **options}).json()
    refused: list[dict[str, Any]] = [{"inputs": []}, {"label": "none"}, {"lable": "left"}]
    for parameters in refused:
        _assert_error(_ask(client, EXPLAIN, instances=[[0, 0]], parameters=parameters), 400)
    _assert_error(_ask(client, EXPLAIN, instances=[[0, 0, 0]]), 400, "instances[0]")
    _assert_error(_ask(client, "/v1/models/none:explain", instances=[[0, 0]]), 404)
