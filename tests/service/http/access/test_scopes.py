"""Each route declares its scope; the gate, the paths without a route and the description follow."""

import json
import re

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.http.access.gate import RouteScopes
from service.http.access.scopes import OPEN, PROBE, SCOPES, declared_scope
from tests.service.http.access.made_keys import KEY


def _paths(app: FastAPI, *scopes: str) -> set[str]:
    """The operations that declare one of these scopes."""
    return {
        f"{method} {route.path_format}"
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
        if declared_scope(route.endpoint) in scopes
    }


def test_every_route_declares_its_scope(app: FastAPI) -> None:
    for route in iter_route_contexts(app.routes):
        assert declared_scope(route.endpoint) in {OPEN, PROBE, *SCOPES}, route.path_format


def test_only_probes_and_pages_need_no_key_and_operators_see_the_rest(app: FastAPI) -> None:
    assert _paths(app, PROBE) == {"GET /livez", "GET /readyz", "GET /v2/health/live", "GET /v2/health/ready"}
    pages = ("/", "/page/{name}", "/docs", "/docs/{name}")
    assert _paths(app, OPEN) == {f"GET {path}" for path in pages}
    assert _paths(app, "feedback") == {"POST /feedback", "POST /models/{name}/feedback"}
    of_model = {f"GET {prefix}/{name}" for prefix in ("", "/models/{name}") for name in ("feedback", "drift")}
    assert _paths(app, "admin") == {"GET /metrics", *of_model}


def test_every_operation_asks_for_the_scope_that_its_route_declares(app: FastAPI) -> None:
    with TestClient(app) as client:
        for route in iter_route_contexts(app.routes):
            scope, path = declared_scope(route.endpoint), re.sub(r"\{\w+\}", "tiny", str(route.path_format))
            for method in route.methods or ():
                status = client.request(method, path).status_code
                assert (status == 401) is (scope in SCOPES), (method, path)
                for name in SCOPES:
                    status = client.request(method, path, headers={"x-api-key": KEY[name]}).status_code
                    load = "/repository/models/" in path  # 403 for everybody
                    assert load or (status == 403) is (scope in SCOPES and name != scope), (method, path, name)


def test_methods_that_a_path_lacks_need_its_only_scope(app: FastAPI) -> None:
    scopes = RouteScopes(app.routes)
    assert scopes.of_request("DELETE", "/models/a/predict") == scopes.of_request("GET", "/predict") == "predict"
    assert scopes.of_request("POST", "/livez") == PROBE
    assert scopes.of_request("PUT", "/feedback") == "admin"  # which has two


def test_unknown_paths_of_a_standard_protocol_need_predict(app: FastAPI) -> None:
    scopes = RouteScopes(app.routes)
    for path in ("/v1", "/v1/", "/v2/nowhere", "/v2/models/a/nowhere"):
        assert {scopes.of_request(method, path) for method in ("GET", "POST")} == {"predict"}


@pytest.mark.parametrize(
    "path",
    ["", "*", "/metrics\n", "/livez\n", "/livez/", "//livez", "/predict/", "/page/a/b", "/docs/a/b", "/models/a/b/c",
     "/models//drift", "/v20", "/v2x/models", "/admin/reload", "/page/../metrics"],
)  # fmt: skip
def test_paths_without_a_route_need_admin(app: FastAPI, path: str) -> None:
    scopes = RouteScopes(app.routes)
    assert {scopes.of_request(method, path) for method in ("GET", "POST", "OPTIONS")} == {"admin"}


def test_route_without_a_declaration_needs_admin(app: FastAPI) -> None:
    app.add_api_route("/new", lambda: None, methods=["GET"])
    assert RouteScopes(app.routes).of_request("GET", "/new") == "admin"


def test_description_names_the_scope_of_each_operation(app: FastAPI) -> None:
    description, scopes = app.openapi(), RouteScopes(app.routes)
    schemes = description["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["key"]["in"], schemes["key"]["name"]) == ("header", "X-API-Key")
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            scope = scopes.of_operation(method.upper(), path)
            needs_key = scope in SCOPES
            assert operation["security"] == ([{"bearer": [scope]}, {"key": [scope]}] if needs_key else [])
            assert ({"401", "403"} <= operation["responses"].keys()) is needs_key


def test_description_without_keys_has_no_security(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    assert "securitySchemes" not in description["components"]
    assert "security" not in json.dumps(description)
