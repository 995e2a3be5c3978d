"""The routes besides `/predict`, and the properties of every response."""

import logging
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI, HTTPException
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.app import create_app
from service.contract.errors import ModelError
from service.contract.manifest import Manifest
from service.inference.classifier import Classifier
from service.settings import Settings
from tests import tiny
from tests.service.canon import assert_problem
from training.publishing.export import to_onnx


@pytest.fixture
def app(tiny_model: Path) -> FastAPI:
    return create_app(Settings(model_path=tiny_model))


def test_model_is_the_card_with_the_version(client: TestClient, tiny_model: Path) -> None:
    model = Classifier.load(tiny_model)
    card = {"served_as": "tiny", "version": model.version, **model.manifest.card()}
    assert client.get("/model").json() == card
    assert client.get("/models/tiny").json() == card


def test_warnings_of_a_model_are_in_its_card_and_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    warnings = ["selective_risk=0.1 promises too much.", "reject_cost=0.2 promises too much."]
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, Manifest(**dict(tiny.manifest()) | {"warnings": warnings})))
    with caplog.at_level("WARNING", "demur"), TestClient(create_app(Settings(model_path=path))) as client:
        assert client.get("/model").json()["warnings"] == warnings
        card = client.get("/openapi.json").json()["components"]["schemas"]["ModelCard"]
    assert "contradicts" in card["properties"]["warnings"]["description"]
    assert "warnings" in card["required"]
    assert caplog.messages == [f"model tiny: {warning}" for warning in warnings]


@pytest.mark.parametrize(("path", "status"), [("/livez", "live"), ("/readyz", "ready")])
def test_probes(client: TestClient, path: str, status: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": status})


def test_head_has_the_status_and_the_headers_of_get(app: FastAPI) -> None:
    templates = {str(route.path_format) for route in iter_route_contexts(app.routes) if "GET" in (route.methods or ())}
    assert {"/", "/docs/{name}", "/openapi.json", "/metrics", "/v2/health/ready", "/feedback", "/drift"} <= templates
    files = {"/page/{name}": "/page/style.css", "/docs/{name}": "/docs/start.js"}
    paths = [files.get(path, path.format(name="tiny", version="1")) for path in templates]
    with TestClient(app) as client:
        for path in [*sorted(paths), "/predict", "/nothing"]:
            head, full = client.head(path), client.get(path)
            assert (head.status_code, head.content) == (full.status_code, b""), path
            changing = {"x-request-id"} | ({"content-length"} if path == "/metrics" else set())
            assert _without(changing, head) == _without(changing, full), path


def _without(names: set[str], answer: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in names}


def test_no_application_for_an_unproved_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read the model"):
        create_app(Settings(model_path=tmp_path / "nothing.onnx"))


def test_bug_gives_problem_details_without_its_text(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    @app.get("/bug")
    async def bug() -> None:
        raise KeyError("a secret")

    with TestClient(app, raise_server_exceptions=False) as client, caplog.at_level(logging.ERROR, "demur"):
        answer = client.get("/bug", headers={"X-Request-ID": "the-one"})
    assert_problem(answer, 500, "The log has details under this request_id")
    assert "secret" not in answer.text
    (record,) = caplog.records
    assert "the-one" in record.getMessage()
    assert record.exc_info


@pytest.mark.parametrize("status", [400, 401, 403, 409, 429, 503, 504])
def test_every_status_has_the_same_shape(app: FastAPI, status: int) -> None:
    @app.get("/failing")
    async def failing() -> None:
        raise HTTPException(status, "for a reason", headers={"Retry-After": "3"})

    with TestClient(app) as client:
        answer = client.get("/failing")
    assert_problem(answer, status, "for a reason")
    assert answer.headers["retry-after"] == "3"


@pytest.mark.parametrize("request_id", ["a", "A-1_b.2", "x" * 128])
def test_valid_request_id_is_repeated(client: TestClient, request_id: str) -> None:
    for path in ("/livez", "/nothing"):
        assert client.get(path, headers={"X-Request-ID": request_id}).headers["x-request-id"] == request_id


@pytest.mark.parametrize("request_id", ["", "x" * 129, "a b", "a;b", '"', "é".encode(), b"a\x0bb"])
def test_invalid_request_id_is_replaced(client: TestClient, request_id: str | bytes) -> None:
    headers = {b"x-request-id": request_id.encode() if isinstance(request_id, str) else request_id}
    assert len(client.get("/livez", headers=headers).headers["x-request-id"]) == 32


def test_requests_without_an_id_get_different_ones(client: TestClient) -> None:
    assert len({client.get("/livez").headers["x-request-id"] for _ in range(100)}) == 100
