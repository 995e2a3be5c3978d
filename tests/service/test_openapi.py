"""The generated description is complete: every reference leads somewhere, every body and error is there."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient


@pytest.fixture
def description(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    references = set(_references(description))
    schemas = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert {"#/components/schemas/PredictRequest", "#/components/schemas/ProblemDetails"} <= references <= schemas


def test_every_schema_is_used(description: dict[str, Any]) -> None:
    references = {reference.rpartition("/")[2] for reference in _references(description)}
    assert set(description["components"]["schemas"]) == references


def test_predict_names_its_bodies_options_and_errors(description: dict[str, Any]) -> None:
    predict = description["paths"]["/predict"]["post"]
    assert set(predict["requestBody"]["content"]) == {
        "application/json",
        "image/png",
        "image/jpeg",
        "application/octet-stream",
    }
    assert {parameter["name"] for parameter in predict["parameters"]} == {
        "top_k",
        "resize",
        "threshold",
        "selective_risk",
        "reject_cost",
        "never_abstain",
        "set_coverage",
        "set_method",
    }
    assert set(predict["responses"]) == {"200", "400", "413", "415", "422"}
    for status, response in predict["responses"].items():
        assert list(response["content"]) == ["application/json" if status == "200" else "application/problem+json"]


def test_pixels_have_their_bounds(description: dict[str, Any]) -> None:
    items = description["components"]["schemas"]["PredictRequest"]["properties"]["inputs"]["items"]["anyOf"]
    assert items[0]["items"] == {"type": "integer", "minimum": 0, "maximum": 255}
    assert items[1]["items"]["items"] == {"type": "integer", "minimum": 0, "maximum": 255}
    assert items[2]["type"] == "string"


def test_asking_twice_gives_the_same(client: TestClient, description: dict[str, Any]) -> None:
    assert client.get("/openapi.json").json() == description


def test_operation_ids_are_unique(description: dict[str, Any]) -> None:
    ids = [operation["operationId"] for path in description["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids)) == 6
