"""Names that the terminal's encoding lacks are escaped, and a line says how to see them."""

import io
import sys
from pathlib import Path

import pytest

from service.__main__ import main as service
from training.__main__ import main as training

TERMINALS = ["ascii", "latin-1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of Chinese class names and a German column, in the working directory."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 2 + i / 100},{'左右'[i % 2]}\n" for i in range(40)]
    (tmp_path / "größen.csv").write_text("größe,label\n" + "".join(rows), encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("encoding", TERMINALS)
def test_names_are_escaped(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [
        ["describe", "größen.csv"],
        ["fit", "--data", "größen.csv", "--epochs", "1", "--out", "größen.onnx"],
        ["evaluate", "größen.onnx", "--data", "größen.csv"],
        ["sweep", "--data", "größen.csv", "--epochs", "1", "--out", "größen"],
        ["fit", "--data", "größen.csv", "--label-column", "左"],
    ]
    statuses = []
    for command in commands:
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, stream)
        statuses.append(training(command))
        assert stream.errors == "strict"
        stream.seek(0)
        text = stream.read()
        remedy = f"since the output's encoding {encoding} lacks them: set PYTHONIOENCODING=utf-8 to see them"
        escaped = "\\u" in text or "\\xf6" in text
        assert (remedy in text.splitlines()[-1]) == escaped
    assert statuses == [0, 0, 0, 0, 1]


@pytest.mark.usefixtures("folder")
def test_service_commands_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    assert service(["score", "左.parquet", "out.parquet"]) == 1
    stream.seek(0)
    assert stream.read().startswith("demur: \\u5de6.parquet does not exist\ndemur: some characters are written as esc")
