"""`demur next-token`: a folder of texts in, a served model out."""

from pathlib import Path

import httpx2
import numpy as np
import pytest

from service.contract.inputs import TokensInput
from service.inference.classifier import Classifier
from tests.server import serving
from tests.training.data.text import made
from training.__main__ import main

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    for i in range(40):
        (folder / f"{i:02}.txt").write_text(made.text(i))
    (folder / ".hidden").write_bytes(b"\xff")
    return folder


def test_text_becomes_a_service(texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "next-token.onnx"
    assert main(["next-token", "--text", str(texts), "--steps", "10", "--seed", "3", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    assert "10 minibatches of 1024" in captured.out
    assert f"{out} is {texts.name} " in captured.out
    assert "selective_risk 0.1 (default)" in captured.out
    assert "training contexts: 10 steps" in captured.err
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    with serving(out) as server:
        answer = httpx2.post(f"{server.address}/predict", json={"inputs": [["b", "=", "(", "c"]], "top_k": 5}).json()
        assert answer["model"]["name"] == texts.name
        (prediction,) = answer["predictions"]
        classifier = Classifier.load(out)
        kind = classifier.manifest.input
        assert isinstance(kind, TokensInput)
        context = np.array([[kind.vocabulary.index(token) for token in ("b", "=", "(", "c")]])
        (row,) = classifier.scores(context).probabilities
        best = np.argsort(-row, kind="stable")[:5]
        assert [entry["label"] for entry in prediction["top_k"]] == [kind.vocabulary[i] for i in best]
        assert prediction["probabilities"] is None


def test_unusable_text_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(folder: Path) -> str:
        assert main(["next-token", "--text", str(folder), "--out", str(tmp_path / "out" / "model.onnx")]) == 1
        return capsys.readouterr().err

    assert "is not a folder: give a folder of text files" in refused(tmp_path / "nowhere")
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "one.txt").write_text("if a : b")
    assert refused(folder) == "demur: the text has 1 files: it takes at least 10, since splits are divided by file\n"
    (folder / "two.txt").write_bytes(b"caf\xe9")
    assert refused(folder) == f"demur: {folder / 'two.txt'} is not a text in UTF-8: byte 3 cannot be decoded\n"
    assert not (tmp_path / "out" / "model.onnx").exists()
