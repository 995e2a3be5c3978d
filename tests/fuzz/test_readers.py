"""Any bytes from a client give the value that a plain parser gives, or a RequestError."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.corpus import kept
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS, accepts

SEEDS = seeds()
_quick = settings(
    max_examples=50, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

# Invalid JSON values: numbers of every size, our keys, lists of every depth.
_KEYS = st.sampled_from(["inputs", "name", "datatype", "shape", "data", "parameters", "age", "sex"]) | st.text(
    max_size=3
)
_NUMBERS = st.integers(-1, 256) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_LEAVES = (
    st.none() | st.booleans() | _NUMBERS | st.sampled_from(["f", "m", "AAECAwQF", "AAAAAAAAgD8="]) | st.text(max_size=5)
)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=20
)
_ROWS = st.lists(st.lists(_LEAVES, min_size=2, max_size=6) | _VALUES, min_size=1, max_size=5)
_OF_JSON = ("json_body", "grey_images", "colour_images", "table_rows", "embeddings")


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_accepted(name: str) -> None:
    assert any(accepts(name, data) for data in SEEDS[name])


@pytest.mark.parametrize("name", TARGETS)
def test_stored_inputs_are_read_or_refused(name: str) -> None:
    outcomes = {accepts(name, data) for data in kept(name)}
    assert outcomes == {True, False}


@pytest.mark.parametrize("name", TARGETS)
@_quick
@given(st.data())
def test_truncated_changed_and_repeated_inputs(name: str, data: st.DataObject) -> None:
    good = data.draw(st.sampled_from(SEEDS[name]))
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(good))] * 2)))
    accepts(name, good[:start] + data.draw(st.binary(max_size=8) | st.just(good[start:end])) + good[end:])


@pytest.mark.parametrize("name", _OF_JSON)
@_quick
@given(inputs=_ROWS | _VALUES, rest=st.dictionaries(_KEYS, _VALUES, max_size=2))
def test_any_json(name: str, inputs: Any, rest: dict[str, Any]) -> None:
    accepts(name, json.dumps({**rest, "inputs": inputs}).encode())


@_quick
@given(tensor=st.dictionaries(_KEYS, _VALUES), raw=st.binary(max_size=8), length=st.integers(-1, 200))
def test_any_tensor(tensor: dict[str, Any], raw: bytes, length: int) -> None:
    good = {"name": "images", "datatype": "UINT8", "shape": [1, 6], "data": [0, 1, 2, 3, 4, 5]}
    body = json.dumps({"inputs": [{**good, **tensor}]}).encode()
    for header in (length, len(body)):
        accepts("infer", header.to_bytes(2, "big", signed=True) + body + raw)
