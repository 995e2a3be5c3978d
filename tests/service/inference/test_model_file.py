"""Reading a model's bytes, and detecting references to other files."""

import os
from pathlib import Path

import pytest

from service.contract.errors import ModelError
from service.inference import model_file
from service.inference.model_file import read_model, refers_elsewhere


@pytest.mark.parametrize("before", range(20))
def test_reference_is_found_across_chunks(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    monkeypatch.setattr(model_file, "_CHUNK_BYTES", 12)
    assert refers_elsewhere(b"x" * before + b"\x08location" + b"x" * 5)
    assert refers_elsewhere(b"location" * before + b"\x00location")
    assert not refers_elsewhere(b"x" * before + b"\x09location" + b"x" * 5)


def test_file_without_references() -> None:
    assert not refers_elsewhere(b"")
    assert not refers_elsewhere(b"location")


def test_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(10))
    assert read_model(path, 10) == bytes(10)
    with pytest.raises(ModelError, match="is larger than the limit of 9 bytes"):
        read_model(path, 9)


def test_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="it is not a file"):
        read_model(tmp_path / "pipe", 10)
