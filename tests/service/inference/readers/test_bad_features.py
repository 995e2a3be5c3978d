"""Invalid rows of numbers: each message names the place, the value and the rule."""

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests import tiny_features as tiny
from tests.service.arrays import npy
from tests.service.asking import NPY, RAW, ask, base64_of, send
from tests.service.canon import assert_problem

NAN, INFINITY = float("nan"), float("inf")

GOOD = '{"age": 40, "sex": "f", "mass": 70}'
_NUMBER = "it must be a finite number in the range of float32, and none may be missing"
_COLUMNS = "there are 3 (age, sex, mass)"
BAD_ROWS = {
    "nothing": ("", "inputs is empty: it must hold at least one row"),
    "a number": ("5", "inputs[0] is 5: a row is an object by column name or a list of 3 values"),
    "null": ("null", "inputs[0] is null: a row is an object"),
    "a string": ('"AAAA"', 'inputs[0] is "AAAA": a row is an object'),
    "two values": ('[40, "f"]', "inputs[0] has 2 values: a row has 3 (age, sex, mass)"),
    "four values": (f'{GOOD}, [40, "f", 70, 1]', "inputs[1] has 4 values: a row has 3"),
    "an empty list": ("[]", "inputs[0] has 0 values"),
    "an empty object": ("{}", "inputs[0].age is missing; inputs[0].sex is missing; inputs[0].mass is missing"),
    "a missing column": (f'{GOOD}, {{"age": 40, "sex": "f"}}', "inputs[1].mass is missing"),
    "an unknown column": (
        '{"age": 40, "sex": "f", "mass": 70, "size": 1}',
        f"inputs[0].size: no such column; {_COLUMNS}",
    ),
    "a misspelt column": (
        '{"age": 40, "sex": "f", "Mass": 70}',
        f"inputs[0].Mass: no such column; {_COLUMNS}; inputs[0].mass is missing",
    ),
    "a column of 10,000 letters": ('{"' + "x" * 10_000 + '": 1}', "xxx...: no such column"),
    "1,000 unknown columns": (json.dumps(dict.fromkeys(map(str, range(1000)))), "inputs[0].0: no such column"),
    "null for a number": (f'{GOOD}, {{"age": null, "sex": "f", "mass": 70}}', f"inputs[1].age is null: {_NUMBER}"),
    "null in a list": ('[40, "f", null]', f"inputs[0].mass is null: {_NUMBER}"),
    "null for a category": ("[40, null, 70]", "inputs[0].sex is null: it must be a string; its categories are f, m"),
    "true for a number": ('[true, "f", 70]', f"inputs[0].age is true: {_NUMBER}"),
    "text for a number": ('["40", "f", 70]', f'inputs[0].age is "40": {_NUMBER}'),
    "a list for a number": ('[[40], "f", 70]', "inputs[0].age is a list of 1"),
    "an object for a number": ('[{}, "f", 70]', "inputs[0].age is an object"),
    "1e39": ('[40, "f", 1e39]', f"inputs[0].mass is 1e+39: {_NUMBER}"),
    "a hundred digits": ('[40, "f", ' + "1" * 100 + "]", "inputs[0].mass is 1.1"),
    "a code for a category": ("[40, 1, 70]", "inputs[0].sex is 1: it must be a string; its categories are f, m"),
    "true for a category": ("[40, true, 70]", "inputs[0].sex is true: it must be a string"),
    "a list for a category": ('[40, ["f"], 70]', "inputs[0].sex is a list of 1"),
    "the last of three": (f'{GOOD}, {GOOD}, [40, "f", "70"]', 'inputs[2].mass is "70"'),
}


@pytest.mark.parametrize(("rows", "fragment"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_of_a_table(table: TestClient, rows: str, fragment: str) -> None:
    problem = assert_problem(send(table, f'{{"inputs": [{rows}]}}'), 422, fragment)
    assert 1 <= len(problem["errors"]) <= 10
    assert len(problem["detail"]) < 600


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have(table: TestClient, number: str) -> None:
    assert_problem(send(table, f'{{"inputs": [[{number}, "f", 70]]}}'), 400, "the body is not JSON")


def test_bad_row_of_a_table_with_missing_values(gaps: TestClient) -> None:
    rule = "it must be a finite number in the range of float32; a missing one is null, or NaN in binary"
    assert_problem(ask(gaps, ["40", "f", 70]), 422, f'inputs[0].age is "40": {rule}')
    assert_problem(ask(gaps, [40, 1, 70]), 422, "inputs[0].sex is 1: it must be a string or null")
    # A missing column may be an oversight; null states that the value is unknown.
    absent = "inputs[0].age is missing: an unknown value is sent as null"
    assert_problem(ask(gaps, {"sex": "f", "mass": 70}), 422, absent)
    infinite = np.array([[40, NAN, -INFINITY]], dtype=np.float32)
    assert_problem(send(gaps, infinite.tobytes(), RAW), 422, f"body[0].mass is -inf: {rule}")
    assert_problem(send(gaps, npy(np.array([[NAN, 2, 70.0]])), NPY), 422, "body[0].sex is 2.0: its categories")


BAD_EMBEDDINGS = {
    "nothing": ("", "inputs is empty: it must hold at least one row"),
    "a number": ("5", "inputs[0] is 5: a row is 2 numbers, or base64"),
    "an object": ("{}", "inputs[0] is an object"),
    "one number": ("[0, 0], [1]", "inputs[1] has 1 numbers: a row has 2"),
    "rows nested": ("[[0, 0], [0, 0]]", "inputs[0][0] is a list of 2"),
    "null": ("[0, null]", f"inputs[0][1] is null: {_NUMBER}"),
    "true": ("[0, 0], [0, true]", f"inputs[1][1] is true: {_NUMBER}"),
    "text": ('["0", 0]', 'inputs[0][0] is "0"'),
    "1e39": ("[0, 1e39]", f"inputs[0][1] is 1e+39: {_NUMBER}"),
    "not base64": ('"@"', "inputs[0] is not base64"),
    "base64 of three bytes": ('"AAAA"', "inputs[0] holds 3 bytes: it must be 8, 2 little-endian float32"),
    "base64 of NaN": (f'"{base64_of(np.array([0, NAN], np.float32))}"', f"inputs[0][1] is nan: {_NUMBER}"),
    "base64 of infinity": (f'[0, 0], "{base64_of(np.array([INFINITY, 0], np.float32))}"', "inputs[1][0] is inf"),
}


@pytest.mark.parametrize(("rows", "fragment"), BAD_EMBEDDINGS.values(), ids=BAD_EMBEDDINGS)
def test_bad_embedding(embedding: TestClient, rows: str, fragment: str) -> None:
    assert assert_problem(send(embedding, f'{{"inputs": [{rows}]}}'), 422, fragment)["errors"]


_CODES = "its categories are sent as codes, integers from -1 to 1"
BAD_TABLES: dict[str, tuple[list[float], str]] = {
    "a missing number": ([40, 0, NAN], f"body[1].mass is nan: {_NUMBER}"),
    "an infinite number": ([INFINITY, 0, 70], f"body[1].age is inf: {_NUMBER}"),
    "a missing code": ([40, NAN, 70], f"body[1].sex is nan: {_CODES}"),
    "an infinite code": ([40, INFINITY, 70], f"body[1].sex is inf: {_CODES}"),
    "a code too high": ([40, 2, 70], f"body[1].sex is 2.0: {_CODES}"),
    "a code too low": ([40, -2, 70], f"body[1].sex is -2.0: {_CODES}"),
    "half a code": ([40, 0.5, 70], f"body[1].sex is 0.5: {_CODES}"),
}


@pytest.mark.parametrize(("row", "fragment"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_numbers_of_a_table(table: TestClient, row: list[float], fragment: str) -> None:
    rows = np.array([[40, 0, 70], row])
    assert_problem(send(table, rows.astype("<f4").tobytes(), RAW), 422, fragment)
    for dtype in ("<f2", "<f4", "<f8"):
        assert_problem(send(table, npy(np.asfortranarray(rows.astype(dtype))), NPY), 422, fragment)


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_float64_past_the_range_of_float32(embedding: TestClient, value: float) -> None:
    answer = send(embedding, npy(np.array([[0, 0], [0, value]])), NPY)
    assert_problem(answer, 422, f"body[1][1] is {value}: {_NUMBER}")


@pytest.mark.parametrize("size", [0, 1, 7, 9])
def test_incomplete_rows_of_bytes(embedding: TestClient, size: int) -> None:
    rule = f"body has {size} bytes: it must hold whole rows of 8 bytes each"
    assert_problem(send(embedding, bytes(size), RAW), 422, rule)


def test_invalid_arrays(embedding: TestClient) -> None:
    rows = tiny.EMBEDDINGS
    float_rule = "it must be float16 or float32 or float64 or int8 or uint8 or int16 or uint16"
    assert_problem(send(embedding, npy(rows.astype(int)), NPY), 422, f"body is an array of int64: {float_rule}")
    assert_problem(send(embedding, npy(rows.astype("O")), NPY), 422, f"body is an array of object: {float_rule}")
    assert_problem(send(embedding, npy(rows[0]), NPY), 422, "body is an array of shape [2]: it must be [N, 2]")
    assert_problem(send(embedding, npy(rows.T[:, :3]), NPY), 422, "shape [2, 3]: it must be [N, 2]")
    assert_problem(send(embedding, npy(rows[:0]), NPY), 422, "body is empty: it must hold at least one row")
    assert_problem(send(embedding, npy(rows)[:-1], NPY), 400, "31 bytes of data: its .npy header states 32")
    assert_problem(send(embedding, rows.tobytes(), NPY), 400, "the body is not a .npy file")


def test_more_rows_than_the_limit(embedding: TestClient, table: TestClient) -> None:
    rule = "holds 5 rows: at most 4 are allowed in one request"
    five = np.zeros((5, 2), np.float32)
    assert_problem(ask(embedding, *five.tolist()), 413, f"inputs {rule}")
    assert_problem(ask(table, *[{}] * 5), 413, f"inputs {rule}")
    assert_problem(send(embedding, five.tobytes(), RAW), 413, f"body {rule}")
    assert_problem(send(embedding, npy(five.astype(float)), NPY), 413, f"body {rule}")


def test_picture_options_are_refused_for_rows(embedding: TestClient) -> None:
    rule = "resize=true is for pictures: this model takes rows of numbers"
    assert_problem(embedding.post("/predict", json={"inputs": [[0, 0]], "resize": True}), 422, rule)
    for media_type in (RAW, NPY):
        answer = embedding.post("/predict?resize=true", content=bytes(8), headers={"content-type": media_type})
        assert_problem(answer, 422, rule)
    answer = embedding.post("/predict?invert=true", content=bytes(8), headers={"content-type": RAW})
    assert_problem(answer, 422, "invert=true is for pictures: this model takes rows of numbers")
