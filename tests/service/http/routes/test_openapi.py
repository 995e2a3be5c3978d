"""The generated description is complete: every reference resolves, every body and error is described."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.inference.readers.picture_formats import BY_MEDIA_TYPE
from service.settings import Settings
from tests import tiny, tiny_features

PAST = 2.0**128 - 2.0**103  # the smallest number that float32 rounds to infinity
FLOAT32 = {"type": "number", "exclusiveMinimum": -PAST, "exclusiveMaximum": PAST}


@pytest.fixture
def description(client: TestClient) -> dict[str, Any]:
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


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


def test_every_reference_resolves(description: dict[str, Any]) -> None:
    references = set(_references(description))
    schemas = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert {"#/components/schemas/PredictRequest", "#/components/schemas/ProblemDetails"} <= references <= schemas


def test_every_schema_is_used(description: dict[str, Any]) -> None:
    references = {reference.rpartition("/")[2] for reference in _references(description)}
    assert set(description["components"]["schemas"]) == references


def test_explain_names_its_bodies_and_options(description: dict[str, Any]) -> None:
    explain = description["paths"]["/explain"]["post"]
    assert explain["requestBody"]["content"].keys() >= {"application/json", "multipart/form-data"}
    assert {parameter["name"] for parameter in explain["parameters"]} == {"label", "resize", "invert"}
    inputs = description["components"]["schemas"]["ExplainRequest"]["properties"]["inputs"]
    assert (inputs["maxItems"], len(inputs["items"]["anyOf"])) == (16, 4)


@pytest.mark.parametrize("path", ["/predict", "/models/{name}/predict"])
def test_predict_names_its_bodies_options_and_errors(description: dict[str, Any], path: str) -> None:
    predict = description["paths"][path]["post"]
    assert set(predict["requestBody"]["content"]) == {
        "application/json",
        *BY_MEDIA_TYPE,
        "image/*",
        "multipart/form-data",
        "application/octet-stream",
        "application/x-npy",
    }
    assert {parameter["name"] for parameter in predict["parameters"] if parameter["in"] == "query"} == {
        "top_k",
        "resize",
        "invert",
        "threshold",
        "selective_risk",
        "reject_cost",
        "never_abstain",
        "probabilities",
        "set_coverage",
        "set_method",
    }
    assert set(predict["responses"]) == {"200", "400", "404", "408", "413", "415", "422", "503"}
    for status, response in predict["responses"].items():
        assert list(response["content"]) == ["application/json" if status == "200" else "application/problem+json"]


@pytest.mark.parametrize("path", ["/predict", "/models/{name}/predict"])
def test_predict_warns_against_asking_again(description: dict[str, Any], path: str) -> None:
    predict = description["paths"][path]["post"]
    assert "Do not ask again with a laxer policy after an abstention" in predict["description"]
    parameters = {parameter["name"]: parameter["description"] for parameter in predict["parameters"]}
    fields = description["components"]["schemas"]["PolicyRequest"]["properties"]
    for policy in ("selective_risk", "reject_cost"):
        assert "sent again" in parameters[policy]
        assert "sent again" in fields[policy]["description"]


def test_pixels_have_their_bounds(description: dict[str, Any]) -> None:
    items = description["components"]["schemas"]["PredictRequest"]["properties"]["inputs"]["items"]["anyOf"]
    assert items[0]["items"] == {"type": "integer", "minimum": 0, "maximum": 255}
    assert items[1]["items"]["items"] == {"type": "integer", "minimum": 0, "maximum": 255}
    counts = [(part["minItems"], part["maxItems"]) for part in (items[0], items[1], items[1]["items"])]
    assert counts == [(2, 2), (1, 1), (2, 2)]
    assert items[2]["type"] == items[3]["properties"]["b64"]["type"] == "string"


def test_example_of_a_tensor_is_answered(client: TestClient, description: dict[str, Any]) -> None:
    (example,) = description["components"]["schemas"]["InferRequest"]["examples"]
    assert client.post("/v2/models/tiny/infer", json=example).status_code == 200
    assert description["components"]["schemas"]["InferInput"]["properties"]["name"]["enum"] == ["images"]


def test_description_is_the_same_twice(client: TestClient, description: dict[str, Any]) -> None:
    assert client.get("/openapi.json").json() == description


def test_operation_ids_are_unique(description: dict[str, Any]) -> None:
    ids = [operation["operationId"] for path in description["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids)) == 35


def test_name_of_a_model_is_a_parameter(description: dict[str, Any]) -> None:
    for path, operations in description["paths"].items():
        for operation in operations.values():
            names = [entry["name"] for entry in operation.get("parameters", []) if entry["in"] == "path"]
            assert names == re.findall(r"{(\w+)}", path)


def test_several_models_are_described_by_all_their_inputs(tmp_path: Path) -> None:
    tiny.write(tmp_path).rename(tmp_path / "a.onnx")
    tiny_features.write_embedding(tmp_path).rename(tmp_path / "b.onnx")
    tiny_features.write_embedding(tmp_path).rename(tmp_path / "c.onnx")
    for default, bodies in ((None, None), ("b", {"application/json", "application/octet-stream", "application/x-npy"})):
        with TestClient(create_app(Settings(models=tmp_path, default_model=default))) as client:
            description = client.get("/openapi.json").json()
        schemas = description["components"]["schemas"]
        assert set(_references(description)) == {f"#/components/schemas/{name}" for name in schemas}
        named = description["paths"]["/models/{name}/predict"]["post"]
        assert "image/png" in named["requestBody"]["content"]
        assert len(schemas["PredictRequest"]["properties"]["inputs"]["items"]["anyOf"]) == 2
        assert "resize" in schemas["PredictRequest"]["properties"]
        if bodies is None:
            roots = [
                path for path in description["paths"] if "{name}" not in path and not path.startswith(("/v1", "/v2"))
            ]
            assert roots == ["/models", "/livez", "/readyz", "/metrics"]
        else:
            assert set(description["paths"]["/predict"]["post"]["requestBody"]["content"]) == bodies
            assert "resize" not in schemas["DefaultPredictRequest"]["properties"]


def _described(model: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The operation and the properties of its JSON body."""
    with TestClient(create_app(Settings(model_path=model))) as client:
        description = client.get("/openapi.json").json()
        assert client.get("/openapi.json").json() == description
    schemas = {f"#/components/schemas/{name}" for name in description["components"]["schemas"]}
    assert set(_references(description)) == schemas
    return description["paths"]["/predict"]["post"], description["components"]["schemas"]["PredictRequest"][
        "properties"
    ]


def test_description_of_a_table_names_its_columns_and_categories(tmp_path: Path) -> None:
    predict, properties = _described(tiny_features.write_table(tmp_path))
    by_name, in_order = properties["inputs"]["items"]["anyOf"]
    assert list(by_name["properties"]) == by_name["required"] == ["age", "sex", "mass"]
    assert by_name["additionalProperties"] is False
    assert by_name["properties"]["age"] == FLOAT32
    assert by_name["properties"]["sex"]["anyOf"][0] == {"type": "string", "enum": ["f", "m"]}
    assert in_order["prefixItems"] == list(by_name["properties"].values())
    assert (in_order["minItems"], in_order["maxItems"]) == (3, 3)
    assert set(predict["requestBody"]["content"]) == {
        "application/json",
        "application/octet-stream",
        "application/x-npy",
    }
    assert "resize" not in properties.keys() | {parameter["name"] for parameter in predict["parameters"]}


def test_description_says_where_values_may_be_missing(tmp_path: Path) -> None:
    _, properties = _described(tiny_features.write_table(tmp_path, "mean"))
    columns = properties["inputs"]["items"]["anyOf"][0]["properties"]
    assert columns["age"] == {**FLOAT32, "type": ["number", "null"]}
    assert columns["sex"]["anyOf"][-1] == {"type": "null"}


def test_description_of_an_embedding_says_its_width(tmp_path: Path) -> None:
    _, properties = _described(tiny_features.write_embedding(tmp_path))
    numbers, text, wrapped = properties["inputs"]["items"]["anyOf"]
    assert (numbers["items"], numbers["minItems"], numbers["maxItems"]) == (FLOAT32, 2, 2)
    assert (text["type"], text["description"]) == ("string", "Base64 of 2 little-endian float32.")
    assert wrapped["properties"] == {"b64": text}


def test_descriptions_of_two_applications_are_their_own(tmp_path: Path, client: TestClient) -> None:
    before = client.get("/openapi.json").json()
    _described(tiny_features.write_embedding(tmp_path))
    assert client.get("/openapi.json").json() == before


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_option_and_field_is_described(description: dict[str, Any]) -> None:
    for name, operation in _operations(description):
        assert operation["description"], name
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"].get("description"), (name, parameter["name"])
    for name, schema in description["components"]["schemas"].items():
        assert schema["description"], name
        for field, its_schema in schema.get("properties", {}).items():
            assert its_schema.get("description"), (name, field)


def test_every_json_body_has_an_example_that_fits_its_schema(description: dict[str, Any]) -> None:
    for name, operation in _operations(description):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in [*bodies, *operation["responses"].values()]:
            for media_type, content in body["content"].items():
                if "json" not in media_type or content["schema"].get("$ref", "").endswith("/ModelCard"):
                    continue  # a card is as long as a page, and GET /model is its example
                schema = {**content["schema"], "components": description["components"]}
                examples = [content["example"]] if "example" in content else _examples(content["schema"], description)
                assert examples, (name, media_type)
                for example in examples:
                    jsonschema.validate(example, schema, jsonschema.Draft202012Validator)


def _examples(schema: dict[str, Any], description: dict[str, Any]) -> list[Any]:
    if schema.get("type") == "array":
        return [[example] for example in _examples(schema["items"], description)]
    examples: list[Any] = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]].get("examples", [])
    return examples
