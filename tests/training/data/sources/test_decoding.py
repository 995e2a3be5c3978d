"""Decoding many pictures: threads and processes agree, and a killed process is an error."""

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.server import ROOT
from tests.training.data.made import picture
from training.data.sources import decoding
from training.data.sources.picture_file import Frame
from training.errors import DataError

FRAME = Frame(5, 6, colour=False, fit=False, convert=False)

pytestmark = pytest.mark.skipif(os.cpu_count() == 1, reason="one processor decodes by threads alone")


@pytest.fixture
def by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use processes even for few pictures."""
    monkeypatch.setattr(decoding, "_MIN_FOR_PROCESSES", 1)


def test_processes_agree_with_threads(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    paths = [str(picture(tmp_path / f"{i}.png", i)) for i in range(300)]
    (tmp_path / "7.png").write_bytes(b"broken")
    (tmp_path / "298.png").unlink()
    picture(tmp_path / "299.png", 299, size=(9, 9))
    by_threads = decoding.decode_all(paths, FRAME)
    request.getfixturevalue("by_processes")
    by_processes = decoding.decode_all(paths, FRAME)
    np.testing.assert_array_equal(by_processes.images, by_threads.images)
    assert len({image.tobytes() for image in by_processes.images}) == 298  # the three unreadable ones are black
    assert by_processes.unreadable == by_threads.unreadable
    assert by_processes.unreadable == {
        7: "not a picture: it is none of PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or PPM",
        298: "no such file",
    }
    assert by_processes.unfit == by_threads.unfit == {299: "is 9x9, the first is 5x6: give --image-size H W"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name")
@pytest.mark.usefixtures("by_processes")
def test_killed_process_is_an_error_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "0.png")  # the first to open it waits for the other side
    paths = [str(tmp_path / "0.png"), *(str(picture(tmp_path / f"{i}.png", i)) for i in range(1, 800))]
    with ThreadPoolExecutor(1) as executor:
        decoded = executor.submit(decoding.decode_all, paths, FRAME)
        with open(tmp_path / "0.png", "wb"):  # a process has begun
            for child in multiprocessing.active_children():
                child.kill()
        with pytest.raises(DataError, match="a process that decoded pictures was killed"):
            decoded.result()


WAITING = """
import sys
from training.data.sources import decoding
from training.data.sources.picture_file import Frame
decoding._MIN_FOR_PROCESSES = 1
decoding.decode_all(sys.argv[1:], Frame(5, 6, False, False, False))
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name")
def test_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "0.png")
    paths = [str(tmp_path / "0.png"), *[str(picture(tmp_path / "1.png", 1))] * 800]
    with subprocess.Popen([sys.executable, "-c", WAITING, *paths], cwd=ROOT, stdout=subprocess.PIPE) as job:
        with open(tmp_path / "0.png", "wb"):  # a process has begun, and waits for input that never comes
            job.kill()
            job.communicate(timeout=60)  # its output ends when the last process that holds it ends
        assert job.returncode == -signal.SIGKILL
