"""The bytes of a file: how they are read and held, and what shows that others are meant."""

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.contract.errors import ModelError
from service.inference import model_file
from service.inference.model_file import HeldFile, read_model, refers_elsewhere


@pytest.mark.parametrize("before", range(20))
def test_reference_is_found_wherever_it_lies_between_pieces(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    monkeypatch.setattr(model_file, "_LOOKED_THROUGH", 12)
    assert refers_elsewhere(b"x" * before + b"\x08location" + b"x" * 5)
    assert refers_elsewhere(b"location" * before + b"\x00location")
    assert not refers_elsewhere(b"x" * before + b"\x09location" + b"x" * 5)


def test_nothing_refers_elsewhere() -> None:
    assert not refers_elsewhere(b"")
    assert not refers_elsewhere(b"location")


def test_size_is_looked_at_first(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(10))
    assert read_model(path, 10) == bytes(10)
    with pytest.raises(ModelError, match="is larger than the limit of 9 bytes"):
        read_model(path, 9)


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="it is not a file"):
        read_model(tmp_path / "pipe", 10)


def test_held_file_is_there_when_another_is_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"first")
    held = HeldFile(path, b"first")
    (tmp_path / "draft").write_bytes(b"second")
    (tmp_path / "draft").replace(path)
    assert (held.read(100), held.read(100), held.read(3)) == (b"first", b"first", b"fir")
    before = _descriptors()
    del held
    assert _descriptors() == before - 1


@pytest.mark.parametrize("now", [b"another", b"other", None, "a folder"])
def test_file_that_was_replaced_before_it_could_be_held_is_kept(tmp_path: Path, now: bytes | str | None) -> None:
    path = tmp_path / "model.onnx"
    if isinstance(now, bytes):
        path.write_bytes(now)
    elif now is not None:
        path.mkdir()
    before = _descriptors()
    held = HeldFile(path, b"first")
    assert _descriptors() == before
    assert (held.read(100), held.read(3)) == (b"first", b"fir")


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """A limit that is near, and no number free below it that an earlier test has given back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        last, highest = 0, max(map(int, os.listdir("/proc/self/fd")))
        while last < highest:
            last = opened.enter_context(open(os.devnull)).fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, hard))
        yield
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_descriptors")
def test_nothing_is_held_where_descriptors_are_few(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"first")
    before = _descriptors()
    held = [HeldFile(path, b"first") for _ in range(40)]
    assert _descriptors() == before
    assert {one.read(100) for one in held} == {b""}
