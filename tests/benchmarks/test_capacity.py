"""The capacity table of the documents: generated from the stored measurement."""

import json
import socket
from pathlib import Path

import pytest

from benchmarks.serving import capacity
from benchmarks.serving.capacity import HEAD_BYTES, Measured, gigabits, on_the_wire
from benchmarks.serving.rounds import Spread
from benchmarks.serving.table import PAGE, STORED
from tests.server import serving

DOCUMENT = json.loads(STORED.read_text())
RATES = {server["name"]: Spread.of(server["requests_per_second"]).median for server in DOCUMENT["servers"]}


def test_page_has_the_table_of_the_stored_measurement() -> None:
    page = PAGE.read_text()
    assert capacity.block(DOCUMENT) in page
    assert capacity.written(page, DOCUMENT) == page


def test_page_without_markers_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"performance\.md"):
        capacity.written("# Performance\n", DOCUMENT)


def test_calculation_starts_from_the_measurement() -> None:
    measured = Measured.of(DOCUMENT)
    assert measured.per_second == RATES["demur-json"]
    title = next(server["title"] for server in DOCUMENT["servers"] if server["name"] == "limit-demur-json")
    assert f"{measured.request_bytes:,} bytes in and {measured.answer_bytes:,} out" in title
    # The speed-up of a second worker is recorded with the other measurements.
    assert f"{capacity.TWO_WORKERS} to " in PAGE.read_text()


def test_cores_match_a_worked_example() -> None:
    measured = Measured("a machine", 10_000, 2_823, 808)
    assert measured.of_a_core == pytest.approx(10_000 * 0.765 * 0.7)
    assert measured.cores(3_500) == pytest.approx(0.5)  # of a single core
    assert measured.cores(535_500) == pytest.approx(100)
    # 2,823 and 200 bytes are three segments: 3,023 + 270. A million of them a second:
    assert gigabits(1_000_000, on_the_wire(2_823)) == pytest.approx(26.344)


def test_bottleneck_is_the_most_used_resource() -> None:
    cores = Measured("a machine", 10_000, 2_823, 808)
    assert capacity.bottleneck(cores, 1_000).startswith("one worker, 14 % used")
    assert capacity.bottleneck(cores, 1_000_000) == "the 64 cores of a machine, 292 % used: 3 machines"
    link = Measured("a machine", 10_000, 100_000, 808)
    assert capacity.bottleneck(link, 20_000).startswith("the link of 25 Gbit/s of a machine, 68 % used")


def test_heads_are_at_most_as_long_as_assumed(tiny_model: Path) -> None:
    body = b'{"inputs": [[0, 0]]}'
    lines = ["POST /predict HTTP/1.1", "Host: demur.example.org", "Content-Type: application/json"]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}"])
    with serving(tiny_model) as server, socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert len(head) + 4 <= HEAD_BYTES
    assert answer.index(b"\r\n\r\n") + 4 <= HEAD_BYTES
