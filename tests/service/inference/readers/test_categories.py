"""Categories in every form of a request: the text that was written stands for the category, and others are seen."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.contract.errors import InvalidValue
from service.contract.inputs import Column, FeaturesInput
from service.inference.readers.features import FeatureReader
from service.scoring.columns import arrays
from service.settings import Settings
from tests import tiny_features
from tests.service.arrays import npy
from tests.service.asking import NPY, RAW, ask, send


def _reader(categories: list[str], missing: Literal["refuse", "mean"] = "refuse") -> FeatureReader:
    return FeatureReader(FeaturesInput(width=1, columns=[Column(name="c", categories=categories)], missing=missing), 99)


KNOWN: dict[str, tuple[list[str], list[Any], list[int]]] = {
    "zeros at the front": (["01234", "1234"], ["01234", "1234", 1234, 1234.0, "1234.0"], [0, 1, 1, 1, 1]),
    "booleans": (["false", "true"], ["True", "true", "TRUE", True, "False", False], [1, 1, 1, 1, 0, 0]),
    "booleans of an earlier version": (["False", "True"], ["True", "true", True, False], [1, 1, 1, 0]),
    "whole decimals": (["1", "2"], ["1", 1, 1.0, "1.0", 2.0], [0, 0, 0, 0, 1]),
    "decimals": (["0.5", "1.0"], ["0.5", 0.5, 1.0, 1, "1"], [0, 0, 1, 1, 1]),
}


@pytest.mark.parametrize(("categories", "values", "codes"), KNOWN.values(), ids=KNOWN)
def test_each_spelling_of_a_value_is_its_category(categories: list[str], values: list[Any], codes: list[int]) -> None:
    reader = _reader(categories)
    rows = reader.from_json([[value] for value in values])
    assert rows[:, 0].tolist() == codes
    assert reader.unknown_categories(rows) is None
    kind = FeaturesInput(width=1, columns=[Column(name="c", categories=categories)])
    for value, code in zip(values, codes, strict=True):  # as `score` reads them
        batch = pa.record_batch({"c": pa.array([value])})
        assert reader.from_columns(arrays(batch, ["c"], kind, 0)).tolist() == [[code]]


@pytest.mark.parametrize("value", ["1234 ", "Blue", "0\u0301", "01.0", "tRUE", 7, 0.25, False])
def test_other_text_is_unknown(value: object) -> None:
    reader = _reader(["1234", "blue", "\u00f3", "1", "true"])
    rows = reader.from_json([[value], ["blue"]])
    assert rows[:, 0].tolist() == [-1, 1]
    assert reader.unknown_categories(rows) == [["c"], []]


@pytest.mark.parametrize(
    ("categories", "value", "rule"),
    [
        (["f", "m"], 1, "1: it must be a string; its categories are f, m"),
        (["f", "m"], True, "true: it must be a string; its categories are f, m"),
        (["1", "2"], True, "true: it must be a string or number; its categories are 1, 2"),
        (["true"], 1, "1: it must be a string or boolean or null; its categories are true"),
    ],
)
def test_type_that_no_category_has_is_refused(categories: list[str], value: object, rule: str) -> None:
    reader = _reader(categories, "mean" if "null" in rule else "refuse")
    with pytest.raises(InvalidValue, match=rule):
        reader.from_json([[value]])


def test_answers_and_metrics_show_unknown_categories(tmp_path: Path) -> None:
    settings = Settings(model_path=tiny_features.write_table(tmp_path, "mean"))
    with TestClient(create_app(settings)) as client:
        answer = ask(client, *({"age": 50, "sex": sex, "mass": 70} for sex in ("f", "F", None))).json()
        assert [p.get("unknown_categories") for p in answer["predictions"]] == [None, ["sex"], None]
        single = ask(client, {"age": 50, "sex": "", "mass": 70}).json()["predictions"][0]
        assert single["unknown_categories"] == ["sex"]
        rows = np.array([[50, -1, 70], [50, np.nan, 70]], np.float32)
        for body, form in ((rows.tobytes(), RAW), (npy(rows), NPY)):
            named = [p.get("unknown_categories") for p in send(client, body, form).json()["predictions"]]
            assert named == [["sex"], None]
        binary = client.post("/predict", json={"inputs": [[50, "x", 70]]}, headers={"accept": NPY})
        assert binary.status_code == 200
        tensor = {"name": "features", "datatype": "FP32", "shape": [2, 3], "data": [[50, -1, 70], [50, 0, 70]]}
        assert client.post("/v2/models/tiny/infer", json={"inputs": [tensor]}).status_code == 200
        name = 'demur_unknown_categories_total{model="tiny"}'
        assert f"{name} 6.0" in client.get("/metrics").text.splitlines()


def test_schema_of_the_body_names_the_types(tmp_path: Path) -> None:
    schema = _reader(["1", "true"], "mean").input_schema["anyOf"][0]["properties"]["c"]["anyOf"]
    assert [entry["type"] for entry in schema] == ["string", "string", "boolean", "number", "null"]
    with TestClient(create_app(Settings(model_path=tiny_features.write_table(tmp_path)))) as client:
        prediction = client.get("/openapi.json").json()["components"]["schemas"]["Prediction"]
    assert "unknown_categories" in prediction["properties"]
    assert "unknown_categories" not in prediction["required"]
