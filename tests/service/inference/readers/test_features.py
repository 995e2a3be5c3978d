"""Rows of numbers in every form: the same rows get the same answers."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from service.contract.inputs import Column, FeaturesInput
from service.inference.readers.features import FeatureReader
from tests import tiny_features as tiny
from tests.service.arrays import npy
from tests.service.asking import NPY, RAW, ask, base64_of, probabilities, send
from tests.service.canon import assert_problem

NAN = float("nan")

LISTS = [list(map(row.get, ("age", "sex", "mass"))) for row in tiny.OBJECTS]
TABLE_BODIES: dict[str, tuple[bytes | str, str]] = {
    "objects": (json.dumps({"inputs": tiny.OBJECTS}), "application/json"),
    "lists": (json.dumps({"inputs": LISTS}), "application/json"),
    "both": (json.dumps({"inputs": tiny.OBJECTS[:2] + LISTS[2:]}), "application/json"),
    "bytes": (tiny.ROWS.tobytes(), RAW),
    **{f"npy {dtype}": (npy(tiny.ROWS.astype(dtype)), NPY) for dtype in ("<f2", "<f4", "<f8", ">f4", ">f8")},
    "npy in Fortran's order": (npy(np.asfortranarray(tiny.ROWS)), NPY),
}


@pytest.mark.parametrize(("body", "media_type"), TABLE_BODIES.values(), ids=TABLE_BODIES)
def test_every_form_of_table_gives_the_same_answer(table: TestClient, body: bytes | str, media_type: str) -> None:
    np.testing.assert_allclose(probabilities(send(table, body, media_type)), tiny.PROBABILITIES, atol=1e-7)


EMBEDDING_BODIES: dict[str, tuple[bytes | str, str]] = {
    "lists": (json.dumps({"inputs": tiny.EMBEDDINGS.tolist()}), "application/json"),
    "integers": (json.dumps({"inputs": tiny.EMBEDDINGS.astype(int).tolist()}), "application/json"),
    "base64": (json.dumps({"inputs": [base64_of(row) for row in tiny.EMBEDDINGS]}), "application/json"),
    "both": (json.dumps({"inputs": [[0, 0], base64_of(tiny.EMBEDDINGS[1]), [0, 1.0], [1, 1]]}), "application/json"),
    "bytes": (tiny.EMBEDDINGS.tobytes(), RAW),
    **{
        f"npy {dtype}": (npy(tiny.EMBEDDINGS.astype(dtype)), NPY)
        for dtype in ("<f2", "<f4", "<f8", ">f4", "i1", "u1", "<u2")
    },
    "npy in Fortran's order": (npy(np.asfortranarray(tiny.EMBEDDINGS)), NPY),
}


@pytest.mark.parametrize(("body", "media_type"), EMBEDDING_BODIES.values(), ids=EMBEDDING_BODIES)
def test_every_form_of_embedding_gives_the_same_answer(
    embedding: TestClient, body: bytes | str, media_type: str
) -> None:
    expected = [[1 / 3] * 3, [1 / 11, 9 / 11, 1 / 11], [1 / 11, 1 / 11, 9 / 11], [1 / 19, 9 / 19, 9 / 19]]
    np.testing.assert_allclose(probabilities(send(embedding, body, media_type)), expected, atol=1e-7)


def test_unknown_category_has_no_weight(table: TestClient) -> None:
    unknown = probabilities(ask(table, *({"age": 50, "sex": sex, "mass": 70} for sex in ("x", "", "F", "0"))))
    np.testing.assert_allclose(unknown, [[1 / 11, 9 / 11, 1 / 11]] * 4, atol=1e-7)


def test_table_of_only_numbers_or_only_categories() -> None:
    numbers = FeatureReader(FeaturesInput(width=2, columns=[Column(name="a"), Column(name="b")]), 4)
    rows = np.array([[1, 2], [3, 4]], dtype=np.float32)
    for result in (
        numbers.from_json([[1, 2], {"b": 4, "a": 3}]),
        numbers.from_body(rows.tobytes(), RAW),
    ):
        np.testing.assert_array_equal(result, rows)
    coded = FeatureReader(FeaturesInput(width=1, columns=[Column(name="a", categories=["x", "y"])], missing="mean"), 4)
    codes = np.array([[1], [0], [-1], [NAN]], dtype=np.float32)  # NaN: missing, which is not unknown
    for result in (
        coded.from_json([["y"], ["x"], ["z"], [None]]),
        coded.from_body(np.array([1, 0, -1, NAN], dtype=np.float32).tobytes(), RAW),
    ):
        np.testing.assert_array_equal(result, codes)
        assert result.dtype == np.float32
        assert coded.unknown_categories(result) == [[], [], ["a"], []]


def test_contract_gives_a_category_one_code() -> None:
    with pytest.raises(ValidationError, match="the categories of a must differ from one another"):
        Column(name="a", categories=["x", "y", "x"])


def test_options_work_as_for_any_kind(table: TestClient) -> None:
    by_body = table.post("/predict", json={"inputs": LISTS[1:2], "top_k": 1, "policy": {"threshold": 0.9}}).json()
    by_query = table.post(
        "/predict?top_k=1&threshold=0.9", content=tiny.ROWS[1:2].tobytes(), headers={"content-type": RAW}
    ).json()
    for answer in (by_body, by_query):
        (prediction,) = answer["predictions"]
        assert (prediction["reason"], prediction["top_k"][0]["label"]) == ("low_confidence", "left")


def test_largest_float32_and_rounding(embedding: TestClient) -> None:
    largest = float(np.finfo(np.float32).max)
    for value in (largest, -largest, np.nextafter(2.0**128 - 2.0**103, 0), 10**30, 5e-324):
        assert ask(embedding, [value, 0]).status_code == 200
    assert_problem(ask(embedding, [2.0**128 - 2.0**103, 0]), 422, "inputs[0][0] is 3.4028235677973366e+38: it must be")


MISSING = [
    {"age": None, "sex": "f", "mass": 70},
    {"age": 50, "sex": None, "mass": 70},
    {"age": None, "sex": None, "mass": None},
]
WITHOUT = [[1 / 3] * 3, [1 / 11, 9 / 11, 1 / 11], [1 / 3] * 3]


def test_missing_number_is_the_mean_and_missing_category_unknown(gaps: TestClient) -> None:
    np.testing.assert_allclose(probabilities(ask(gaps, *MISSING)), WITHOUT, atol=1e-7)
    rows = np.array([[NAN, 0, 70], [50, NAN, 70], [NAN] * 3], dtype=np.float32)
    np.testing.assert_allclose(probabilities(send(gaps, rows.tobytes(), RAW)), WITHOUT, atol=1e-7)
    np.testing.assert_allclose(probabilities(send(gaps, npy(rows.astype(float)), NPY)), WITHOUT, atol=1e-7)


def test_missing_number_of_an_embedding(embedding_gaps: TestClient) -> None:
    expected = [[1 / 11, 9 / 11, 1 / 11]] * 2
    row = np.array([1, NAN], dtype=np.float32)
    np.testing.assert_allclose(probabilities(ask(embedding_gaps, [1, None], base64_of(row))), expected, atol=1e-7)
    np.testing.assert_allclose(probabilities(send(embedding_gaps, row.tobytes(), RAW)), expected[:1], atol=1e-7)
