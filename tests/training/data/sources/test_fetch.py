"""Locating and fetching the data, from a real server that sometimes fails."""

import filecmp
import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.contract.errors import FileError
from training.data.options import DATA_DIR_VARIABLE
from training.data.sources import fashion_mnist, fetch
from training.errors import DataError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, no named folder, and no Debian package."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(fetch, "SYSTEM_FOLDER", tmp_path / "no-such-package")


@pytest.fixture
def _without_apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


class _Files(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `refusals` requests are answered 503 first."""

    refusals = 0

    def do_GET(self) -> None:
        if type(self).refusals > 0:
            type(self).refusals -= 1
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _ignore(_: str) -> None:
    """Log nothing."""


@contextmanager
def _mirror(folder: Path, refusals: int = 0) -> Iterator[str]:
    handler = type("Handler", (_Files,), {"refusals": refusals})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *arguments: handler(*arguments, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _same(folder: Path, packed: Path) -> bool:
    """Whether the folder has the same files as the mirror."""
    names = [path.name for path in packed.iterdir()]
    return filecmp.cmpfiles(folder, packed, names, shallow=False) == (names, [], [])


@pytest.fixture
def packed(data_folder: Path, tmp_path: Path) -> Path:
    """A folder with the four packed files, like a mirror."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    for file in fashion_mnist.FILES:
        (folder / f"{file.name}.gz").symlink_to(data_folder / f"{file.name}.gz")
    return folder


def test_named_folders_come_first_and_are_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch.locate(tmp_path / "option") == tmp_path / "option"
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "variable"))
    assert fetch.locate(None) == tmp_path / "variable"
    assert fetch.locate(tmp_path / "option") == tmp_path / "option"


def test_package_comes_before_the_cache(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch.locate(None) is None
    fetch.cache_folder().parent.mkdir(parents=True)
    fetch.cache_folder().symlink_to(packed)
    assert fetch.locate(None) == fetch.cache_folder()
    monkeypatch.setattr(fetch, "SYSTEM_FOLDER", packed)
    assert fetch.locate(None) == packed


def test_incomplete_folder_is_skipped(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "SYSTEM_FOLDER", packed)
    (packed / f"{fashion_mnist.TEST_LABELS.name}.gz").unlink()
    assert fetch.locate(None) is None


@pytest.mark.usefixtures("_without_apt")
def test_data_come_from_a_mirror_and_are_found_afterwards(packed: Path) -> None:
    lines: list[str] = []
    with _mirror(packed) as url:
        target = fetch.fetch(lines.append, mirrors=(url,))
    assert target == fetch.cache_folder() == fetch.locate(None)
    assert fashion_mnist.load(target).train.inputs.shape == (60_000, 28, 28)
    assert lines == [
        "fetching fashion-mnist from Debian's package dataset-fashion-mnist",
        "  failed: apt-get is not installed",
        f"fetching fashion-mnist from {url}",
    ]
    # The server has stopped and is no longer needed.
    assert fetch.fetch(lines.append, mirrors=(url,)) == target
    assert len(lines) == 3


@pytest.mark.usefixtures("_without_apt")
def test_mirror_with_a_wrong_file_is_skipped(packed: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in packed.iterdir():
        (bad / path.name).symlink_to(path.resolve())
    last = bad / f"{fashion_mnist.TEST_LABELS.name}.gz"
    content = last.read_bytes()
    last.unlink()
    last.write_bytes(content[:-8] + bytes(8))
    lines: list[str] = []
    with _mirror(bad) as first, _mirror(packed) as second:
        target = fetch.fetch(lines.append, mirrors=(first, second))
    assert _same(target, packed)
    assert any("expected a complete gzip file" in line for line in lines)


@pytest.mark.usefixtures("_without_apt")
def test_mirror_that_fails_at_first_is_tried_again(packed: Path) -> None:
    with _mirror(packed, refusals=1) as url:
        assert _same(fetch.fetch(_ignore, mirrors=(url,)), packed)


@pytest.mark.usefixtures("_without_apt")
def test_no_files_are_left_if_no_source_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "RETRIES", 0)
    (tmp_path / "empty").mkdir()
    target = tmp_path / "data" / "fashion-mnist"
    with (
        _mirror(tmp_path / "empty") as url,
        pytest.raises(DataError, match=r"could not be fetched from any of 2 sources\. Get the data by"),
    ):
        fetch.fetch(_ignore, target, mirrors=(url,))
    assert list(target.iterdir()) == []


@pytest.mark.usefixtures("_without_apt")
def test_damaged_file_in_the_cache_is_replaced(packed: Path) -> None:
    with _mirror(packed) as url:
        cache = fetch.fetch(_ignore, mirrors=(url,))
        damaged = cache / f"{fashion_mnist.TEST_LABELS.name}.gz"
        damaged.write_bytes(damaged.read_bytes()[:-100])
        assert fetch.fetch(_ignore, mirrors=(url,)) == cache
    assert _same(cache, packed)


@pytest.mark.usefixtures("_without_apt")
def test_other_data_under_the_same_names_are_kept(packed: Path, tmp_path: Path) -> None:
    """MNIST and its relatives share file names, so a user's file of that name is not replaced."""
    own = tmp_path / "mnist"
    own.mkdir()
    digits = own / fashion_mnist.TEST_LABELS.name
    digits.write_bytes(b"digits")
    with _mirror(packed) as url, pytest.raises(DataError, match=r"mnist/t10k-labels-idx1-ubyte: expected the magic"):
        fetch.fetch(_ignore, own, mirrors=(url,))
    assert [path.name for path in own.iterdir()] == [digits.name]
    assert digits.read_bytes() == b"digits"


@pytest.mark.usefixtures("_without_apt")
def test_only_missing_files_are_added(packed: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    present = own / fashion_mnist.TRAIN_LABELS.name
    present.write_bytes(gzip.decompress((packed / f"{present.name}.gz").read_bytes()))
    with _mirror(packed) as url:
        fetch.fetch(_ignore, own, mirrors=(url,))
    names = {f"{file.name}.gz" for file in fashion_mnist.FILES if file.name != present.name} | {present.name}
    assert {path.name for path in own.iterdir()} == names
    assert fashion_mnist.load(own).train.labels.shape == (60_000,)


def test_folder_that_cannot_be_written() -> None:
    with pytest.raises(FileError, match=r"cannot (make the folder|write into) /proc/self/data"):
        fetch.fetch(_ignore, Path("/proc/self/data"), mirrors=())


@pytest.mark.slow
def test_data_come_from_debians_package() -> None:
    """Needs access to Debian's packages, but no root."""
    lines: list[str] = []
    target = fetch.fetch(lines.append, mirrors=())
    assert lines == ["fetching fashion-mnist from Debian's package dataset-fashion-mnist"]
    assert fashion_mnist.load(target).test.inputs.shape == (10_000, 28, 28)
