"""Every kind of input in every form of column gets the answers of `POST /predict`."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.app import create_app
from service.settings import Settings
from tests import tiny, tiny_tokens
from tests.service.pictures import encoded
from tests.service.scoring.files import embeddings, fixed_size_binary, fixed_size_list, score, write
from tests.tiny_features import OBJECTS

ROWS = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0.3, 0.4]], np.float32)


def _predictions(model: Path, inputs: list[Any], **options: Any) -> list[dict[str, Any]]:
    with TestClient(create_app(Settings(model_path=model))) as client:
        answer = client.post("/predict", json={"inputs": inputs, **options})
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def _assert_same(path: Path, predictions: list[dict[str, Any]]) -> None:
    result = pq.read_table(path).to_pylist()
    assert len(result) == len(predictions)
    for row, prediction in zip(result, predictions, strict=True):
        for name in ("decision", "label", "reason"):
            assert row[name] == prediction[name]
        assert row["confidence"] == pytest.approx(prediction["confidence"], abs=1e-6)
        assert row["probabilities"] == pytest.approx(prediction["probabilities"], abs=1e-6)
        assert row.get("unknown_categories") == prediction.get("unknown_categories")


def _list_of(kind: pa.DataType) -> pa.Array:
    return pa.array(ROWS.astype(kind.value_type.to_pandas_dtype()).tolist(), kind)


EMBEDDINGS = {
    "fixed_size_list": fixed_size_list(ROWS),
    "list": _list_of(pa.list_(pa.float32())),
    "large_list": _list_of(pa.large_list(pa.float32())),
    "float16": pa.array(ROWS.astype(np.float16).tolist(), pa.list_(pa.float16(), 2)),
    "float64": _list_of(pa.list_(pa.float64(), 2)),
    "int8": _list_of(pa.list_(pa.int8())),
    "fixed_size_binary": fixed_size_binary(ROWS),
    "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(ROWS),
}
POLICIES: list[tuple[list[str], dict[str, Any]]] = [
    ([], {}),
    (["--threshold", "0.5"], {"threshold": 0.5}),
    (["--selective-risk", "0.1"], {"selective_risk": 0.1}),
    (["--selective-risk", "0.01"], {"selective_risk": 0.01}),
    (["--reject-cost", "0.2"], {"reject_cost": 0.2}),
    (["--never-abstain"], {"never_abstain": True}),
]


@pytest.mark.parametrize("form", EMBEDDINGS)
def test_embeddings(tmp_path: Path, embedding_model: Path, form: str) -> None:
    rows = ROWS.astype(form) if form in ("float16", "int8") else ROWS
    file = write(tmp_path / "in.parquet", {"id": list("abcde"), "embedding": EMBEDDINGS[form]})
    assert score(embedding_model, file, tmp_path / "out.parquet", "--probabilities", "--threshold", "0.5") == 0
    expected = _predictions(embedding_model, rows.tolist(), policy={"threshold": 0.5})
    _assert_same(tmp_path / "out.parquet", expected)
    assert {prediction["decision"] for prediction in expected} == {"answer", "abstain"}
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == list("abcde")


@pytest.mark.parametrize(("options", "policy"), POLICIES)
def test_policies(tmp_path: Path, embedding_model: Path, options: list[str], policy: dict[str, Any]) -> None:
    rows = np.concatenate([ROWS, [[9, 9]]]).astype(np.float32)  # the last one is out of distribution
    file = write(tmp_path / "in.parquet", {"embedding": fixed_size_list(rows)})
    expected = _predictions(embedding_model, rows.tolist(), **({"policy": policy} if policy else {}))
    answered = any(prediction["decision"] == "answer" for prediction in expected)
    status = score(embedding_model, file, tmp_path / "out.parquet", "--probabilities", *options)
    assert status == (0 if answered else 3)
    _assert_same(tmp_path / "out.parquet", expected)


def test_rows_of_a_slice_are_those_of_the_slice(tmp_path: Path, embedding_model: Path) -> None:
    """Batches of a row group begin at an offset in their arrays."""
    rows = embeddings(100)
    forms = {"a": fixed_size_list(rows), "b": fixed_size_binary(rows), "c": pa.array(rows.tolist())}
    tables = []
    for name, form in forms.items():
        out = tmp_path / f"{name}-out.parquet"
        file = write(tmp_path / f"{name}.parquet", {"embedding": form}, group=33)
        assert score(embedding_model, file, out, "--probabilities", "--batch-size", "7") == 0
        _assert_same(out, _predictions(embedding_model, rows.tolist()))
        tables.append(pq.read_table(out))
    assert tables[0] == tables[1] == tables[2]


def test_missing_numbers_of_an_embedding(tmp_path: Path, gaps_model: Path) -> None:
    file = write(tmp_path / "in.parquet", {"embedding": pa.array([[0.5, None], [0.5, 0.5], [None, None]])})
    assert score(gaps_model, file, tmp_path / "out.parquet", "--probabilities") == 0
    expected = _predictions(gaps_model, [[0.5, None], [0.5, 0.5], [None, None]])
    _assert_same(tmp_path / "out.parquet", expected)


def test_table(tmp_path: Path, table_model: Path) -> None:
    columns = {name: [row[name] for row in OBJECTS] for name in ("sex", "mass", "age")}
    file = write(tmp_path / "in.parquet", {"patient": [7, 8, 9, 10], **columns})
    assert score(table_model, file, tmp_path / "out.parquet", "--probabilities") == 0
    _assert_same(tmp_path / "out.parquet", _predictions(table_model, OBJECTS))
    assert pq.read_schema(tmp_path / "out.parquet").names[:2] == ["patient", "decision"]


def test_table_with_gaps_and_categories_by_code(tmp_path: Path, table_gaps_model: Path) -> None:
    sexes = pa.array(["f", None, "m", "unheard of"]).dictionary_encode()
    file = write(tmp_path / "in.parquet", {"age": [50, 40, None, 40], "sex": sexes, "mass": [70.0, np.nan, 70, 70]})
    assert score(table_gaps_model, file, tmp_path / "out.parquet", "--probabilities") == 0
    rows = [
        {"age": 50, "sex": "f", "mass": 70},
        {"age": 40, "sex": None, "mass": None},
        {"age": None, "sex": "m", "mass": 70},
        {"age": 40, "sex": "unheard of", "mass": 70},
    ]
    _assert_same(tmp_path / "out.parquet", _predictions(table_gaps_model, rows))


def test_pictures(tmp_path: Path, tiny_model: Path) -> None:
    images = tiny.IMAGES.reshape(4, 2)
    files = [encoded(Image.fromarray(image)) for image in tiny.IMAGES]
    forms = {
        "binary": pa.array(files[:2] + [image.tobytes() for image in images[2:]], pa.binary()),
        "fixed": fixed_size_binary(images),
        "list": pa.array(images.tolist(), pa.list_(pa.uint8())),
    }
    expected = _predictions(tiny_model, images.tolist())
    for name, form in forms.items():
        file = write(tmp_path / f"{name}.parquet", {"picture": form})
        assert score(tiny_model, file, tmp_path / f"{name}-out.parquet", "--probabilities") == 0
        _assert_same(tmp_path / f"{name}-out.parquet", expected)


def test_pictures_are_fitted_with_resize(tmp_path: Path, tiny_model: Path) -> None:
    picture = encoded(Image.new("RGB", (40, 20), "white"))
    file = write(tmp_path / "in.parquet", {"picture": pa.array([picture], pa.binary())})
    assert score(tiny_model, file, tmp_path / "out.parquet", "--probabilities", "--resize") == 0
    expected = _predictions(tiny_model, [base64.b64encode(picture).decode()], resize=True)
    _assert_same(tmp_path / "out.parquet", expected)


def test_contexts_of_tokens(tmp_path: Path) -> None:
    model = tiny_tokens.write(tmp_path)
    contexts = pa.array(tiny_tokens.TOKENS.tolist(), pa.list_(pa.int32()))
    file = write(tmp_path / "in.parquet", {"id": list("abcd"), "context": contexts})
    assert score(model, file, tmp_path / "out.parquet", "--probabilities") == 0
    _assert_same(tmp_path / "out.parquet", _predictions(model, tiny_tokens.TEXTS))
