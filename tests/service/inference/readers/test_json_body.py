"""A JSON body is parsed strictly: no repeated keys, and nothing that is not JSON."""

import pytest

from service.contract.errors import InvalidValue, MalformedBody
from service.inference.readers.json_body import json_object, may_hold_booleans


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": [1]}',
        b'{"inputs": [{"a": 1, "b": {"a": 2}}, {"a": 3}], "policy": {"threshold": 0.5}, "top_k": 1}',
        b'{"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}}}}',
        b'{"a:b": "c:d", "e": ["f:g", {"a:b": ":"}]}',
        b'{"a\\"": 1, "a": 2}',
        b"{}",
    ],
)
def test_unique_keys_are_accepted(body: bytes) -> None:
    assert isinstance(json_object(body, "inputs"), dict)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"a": 1, "a": 1}', "a"),
        (b'{"a": 1, "b": 2, "\\u0061": 3}', "a"),
        (b'{"inputs": [1], "policy": {"threshold": 1, "threshold": 0}}', "threshold"),
        (b'{"inputs": [{"x": 1}, {"x": 1, "x": 2}]}', "x"),
        (b'{"inputs": ["text", {"x": 1, "x": 2}]}', "x"),
        (b'{"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"b": 1, "b": 2}}}}}}}}}}', "b"),
        (b'{"a:b": ":", "a:b": ":"}', "a:b"),
    ],
)
def test_repeated_key_is_named(body: bytes, key: str) -> None:
    with pytest.raises(InvalidValue, match=f"^{key} is given more than once in one object of the body$"):
        json_object(body, "inputs")


def test_deep_nesting_with_a_repeated_key_is_refused() -> None:
    with pytest.raises(MalformedBody, match="not JSON"):
        json_object(b'{"a": 1, "a": ' + b"[" * 1020 + b"]" * 1020 + b"}", "inputs")


@pytest.mark.parametrize("body", [b'{"inputs": [true]}', b'{"inputs": [false]}', b'{"e": "true"}'])
def test_no_boolean_is_missed(body: bytes) -> None:
    assert may_hold_booleans(body)


@pytest.mark.parametrize("body", [b'{"inputs": [1, 2e5]}', b'{"inputs": [1], "never": null}'])
def test_no_check_for_booleans_without_need(body: bytes) -> None:
    assert not may_hold_booleans(body)
