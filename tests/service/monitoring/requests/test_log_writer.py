"""The writer of the log: whole lines in order, and no wait for an output that nobody reads."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from service.monitoring.requests.log_writer import LogWriter
from tests.service.monitoring.requests.test_request_log import writing_to

LINES = [b"%04d %b\n" % (i, b"x" * 94) for i in range(2000)]  # of 100 bytes


class Pipe:
    """A pipe, and what was read from it."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()

    def fill(self) -> int:
        """Write until nothing more fits; returns the number of bytes."""
        os.set_blocking(self.into, False)
        written = 0
        for size in (4096, 1):
            try:
                while True:
                    written += os.write(self.into, b" " * (size - 1) + b"\n")
            except BlockingIOError:
                pass
        os.set_blocking(self.into, True)
        return written

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += os.read(self.out, size - len(data))
        return data


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.out)


@pytest.mark.parametrize("shared", [True, False])
def test_lines_are_written_in_order(pipe: Pipe, shared: bool) -> None:
    writer = LogWriter(pipe.into)
    writer.shared = shared
    for i in range(0, len(LINES), 10):
        writer.write(LINES[i : i + 10])
    assert pipe.read(100 * len(LINES)) == b"".join(LINES)
    assert writer.flush(seconds=10)


def test_lost_lines_are_counted_and_reported(pipe: Pipe, caplog: pytest.LogCaptureFixture) -> None:
    filled = pipe.fill()
    lost: list[int] = []
    writer = LogWriter(pipe.into, max_bytes=1000)
    for line in LINES[:15]:
        writer.write([line])
    writer.count_lost(lost.append)
    writer.write(LINES[15:17])
    assert lost == [5, 2]
    assert not writer.flush(seconds=0.01)
    with caplog.at_level(logging.WARNING, "demur"):
        pipe.read(filled)
        assert pipe.read(1000) == b"".join(LINES[:10])
        writer.write(LINES[17:18])
        assert pipe.read(100) == LINES[17]
        assert writer.flush(seconds=10)
    assert caplog.messages == ["7 log lines were lost: standard output was full, or nobody read it"]


def test_line_after_half_a_line_begins_anew(pipe: Pipe) -> None:
    os.set_blocking(pipe.into, False)  # then a write that does not fit is cut, and the next one fails, as on a disk
    lost: list[int] = []
    writer = LogWriter(pipe.into)
    writer.shared = False
    writer.count_lost(lost.append)
    writer.write(LINES)
    assert writer.flush(seconds=10)
    data = b""
    while len(data) < 100 * (len(LINES) - sum(lost)):
        data += os.read(pipe.out, 1 << 20)
    assert b"".join(LINES).startswith(data)
    assert sum(lost) == len(LINES) - data.count(b"\n")
    writer.write([b"next\n"])
    assert pipe.read(5 + (data[-1:] != b"\n")).lstrip() == b"next\n"


def test_without_an_output_nothing_is_written_or_counted() -> None:
    lost: list[int] = []
    writer = LogWriter(None)
    writer.count_lost(lost.append)
    writer.write(LINES)
    assert writer.flush(seconds=0)
    assert lost == [0]


@pytest.mark.process
@pytest.mark.parametrize("workers", ["1", "2"])
def test_service_starts_answers_and_stops_though_nobody_reads_its_log(
    tiny_model: Path, pipe: Pipe, workers: str
) -> None:
    pipe.fill()
    with writing_to(pipe.into, tiny_model, DEMUR_WORKERS=workers) as server:
        for _ in range(20):
            answer = httpx2.post(f"{server.address}/predict", json={"inputs": [[255, 0]]})
            assert answer.status_code == 200
        assert httpx2.get(f"{server.address}/livez").status_code == 200
        assert server.stop(signal.SIGTERM) == 0
