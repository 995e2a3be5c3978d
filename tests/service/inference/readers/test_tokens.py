"""Contexts of tokens in every form, and invalid ones."""

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.contract.errors import InvalidRequest
from service.contract.inputs import TokensInput
from service.inference.readers.tokens import TokenReader
from service.settings import Settings
from tests import tiny, tiny_tokens
from tests.service.asking import NPY, RAW, ask, probabilities, send
from tests.service.canon import assert_problem


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    model = tiny_tokens.write(tmp_path_factory.mktemp("tokens"))
    with TestClient(create_app(Settings(model_path=model, max_batch_size=4))) as client:
        yield client


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_text_and_numbers_are_the_same(client: TestClient) -> None:
    np.testing.assert_allclose(probabilities(ask(client, *tiny_tokens.TEXTS)), tiny.PROBABILITIES, atol=1e-7)
    np.testing.assert_allclose(probabilities(ask(client, *tiny_tokens.TOKENS.tolist())), tiny.PROBABILITIES, atol=1e-7)
    mixed = probabilities(ask(client, ["a", 2]))
    np.testing.assert_allclose(mixed, tiny.PROBABILITIES[1:2], atol=1e-7)


@pytest.mark.parametrize("dtype", ["uint16", "int32", "uint32", "int64"])
def test_arrays(client: TestClient, dtype: str) -> None:
    answer = send(client, _npy(tiny_tokens.TOKENS.astype(dtype)), NPY)
    np.testing.assert_allclose(probabilities(answer), tiny.PROBABILITIES, atol=1e-7)


def test_raw_bytes(client: TestClient) -> None:
    answer = send(client, tiny_tokens.TOKENS.astype("<i8").tobytes(), RAW)
    np.testing.assert_allclose(probabilities(answer), tiny.PROBABILITIES, atol=1e-7)


def test_word_outside_the_vocabulary_is_unknown(client: TestClient) -> None:
    assert probabilities(ask(client, ["xyzzy", ""])) == probabilities(ask(client, [0, 0]))


WRONG: dict[str, tuple[Any, str]] = {
    "too short": (["a"], "inputs[0] is a list of 1: a context is a list of 2 tokens, oldest first"),
    "no list": ("a b", 'inputs[0] is "a b": a context is a list of 2 tokens'),
    "past the vocabulary": (["a", 3], "inputs[0][1]=3: a token is a string, or its number, from 0 to 2"),
    "under 0": ([-1, "a"], "inputs[0][0]=-1: a token is a string, or its number, from 0 to 2"),
    "a truth": ([True, "a"], "inputs[0][0]=true: a token is a string, or its number"),
    "a fraction": ([1.0, "a"], "inputs[0][0]=1.0: a token is a string, or its number"),
    "nothing": ([None, "a"], "inputs[0][0]=null: a token is a string, or its number"),
}


@pytest.mark.parametrize(("context", "message"), WRONG.values(), ids=WRONG)
def test_wrong_context_is_named(client: TestClient, context: Any, message: str) -> None:
    assert_problem(ask(client, context), 422, message)


def test_wrong_bodies(client: TestClient) -> None:
    assert_problem(ask(client), 422, "inputs is empty: it must hold at least one context")
    assert_problem(ask(client, *[["a", "a"]] * 5), 413, "inputs holds 5 contexts: at most 4 are allowed")
    assert_problem(send(client, bytes(15), RAW), 422, "body has 15 bytes: it must hold whole contexts of 16")
    past = np.array([[1, 2], [1, 3]])
    assert_problem(send(client, _npy(past), NPY), 422, "body[1][1]=3: a token number is from 0 to 2")
    assert_problem(send(client, past.tobytes(), RAW), 422, "body[1][1]=3: a token number is from 0 to 2")
    assert_problem(send(client, _npy(past.astype(float)), NPY), 422, "body is an array of float64")
    assert_problem(
        send(client, json.dumps({"inputs": [["a", "b"]], "resize": True})), 422, "resize=true is for pictures"
    )


def test_description_is_of_tokens(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["components"]["schemas"]["PredictRequest"]["properties"]
    assert (described["inputs"]["items"]["minItems"], described["inputs"]["items"]["maxItems"]) == (2, 2)
    assert "resize" not in described


def test_column_of_contexts() -> None:
    reader = TokenReader(tiny_tokens.KIND, 4)
    rows = reader.from_columns({"context": tiny_tokens.TOKENS.astype(np.int32)})
    np.testing.assert_array_equal(rows, tiny_tokens.TOKENS)
    assert rows.dtype == np.int64
    with pytest.raises(InvalidRequest, match=r"row 11: context\[0\]=7: a token number is from 0 to 2"):
        reader.from_columns({"context": np.array([[1, 1], [7, 1]])}, first_row=10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": ["a", "a"], "unknown": 0}, "must differ from one another"),
        ({"unknown": 3}, "unknown is 3: the vocabulary has 3 tokens"),
        ({"context": 0}, "greater than or equal to 1"),
    ],
)
def test_contract_of_tokens(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TokensInput.model_validate({**tiny_tokens.KIND.model_dump(), **change})


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A model of 5,000 classes."""
    with TestClient(create_app(Settings(model_path=tiny_tokens.write_many(tmp_path_factory.mktemp("many"))))) as client:
        yield client


def _ask_many(client: TestClient, **options: Any) -> dict[str, Any]:
    answer = client.post("/predict", json={"inputs": tiny_tokens.TEXTS, **options})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def test_only_the_best_of_many_classes_are_sent(many: TestClient) -> None:
    answer = _ask_many(many, top_k=5)
    assert answer["prediction_sets"] is None
    expected = tiny_tokens.many().probabilities(tiny_tokens.TOKENS)
    for prediction, row in zip(answer["predictions"], expected, strict=True):
        assert (prediction["probabilities"], prediction["prediction_set"]) == (None, None)
        best = np.argsort(-row, kind="stable")[:5]
        assert [entry["label"] for entry in prediction["top_k"]] == [f"word{i}" for i in best]
        np.testing.assert_allclose([entry["probability"] for entry in prediction["top_k"]], row[best], atol=1e-7)
        assert prediction["confidence"] == prediction["top_k"][0]["probability"]


def test_all_of_many_classes_are_sent_on_request(many: TestClient) -> None:
    answer = _ask_many(many, probabilities=True, set_coverage=0.9)
    assert answer["prediction_sets"] == {"set_coverage": 0.9, "method": "lac"}
    for prediction in answer["predictions"]:
        assert len(prediction["probabilities"]) == tiny_tokens.MANY
        assert len(prediction["prediction_set"]) >= 1
    raw = many.post("/predict?probabilities=true", content=tiny_tokens.TOKENS.tobytes(), headers={"content-type": RAW})
    assert len(raw.json()["predictions"][0]["probabilities"]) == tiny_tokens.MANY


def test_probabilities_of_few_classes_can_be_left_out(client: TestClient) -> None:
    answer = client.post("/predict", json={"inputs": tiny_tokens.TEXTS, "probabilities": False}).json()
    assert [prediction["probabilities"] for prediction in answer["predictions"]] == [None] * 4
    assert answer["predictions"][1]["top_k"][0]["label"] == "left"


def test_drift_of_many_classes_groups_the_rare_ones(many: TestClient) -> None:
    _ask_many(many)
    bins = many.get("/drift").json()["labels"]["bins"]
    assert len(bins) == 100
    assert [entry["label"] for entry in bins if entry["label"] is None] == [None]
    assert bins[-1]["label"] is None
    assert bins[-2]["label"] == f"word{tiny_tokens.MANY - 1}"  # the only one that the reference saw often
    assert sum(entry["expected"] for entry in bins) == pytest.approx(1)


def test_wrong_feedback_does_not_list_thousands_of_labels(many: TestClient) -> None:
    identity = _ask_many(many)["predictions"][0]["id"]
    answer = many.post("/feedback", json={"id": identity, "label": "no such word"})
    assert_problem(answer, 422, 'label="no such word" is not one of word0, word1')
    assert len(answer.json()["detail"]) < 200
