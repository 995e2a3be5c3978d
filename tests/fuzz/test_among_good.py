"""A thousand bad requests among good ones: each is refused, and no good answer changes."""

import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import tiny
from tests.fuzz import spoilt
from tests.server import Server, serving

BAD = 1000
_BODY = b'{"inputs": [[[0, 255]], [255, 0]], "probabilities": true}'


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[Server]:
    with serving(tiny_model, DEMUR_MAX_BODY_BYTES="4096") as running:
        yield running


def _answer(client: httpx2.Client) -> Any:
    answer = client.post("/predict", content=_BODY, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    varying = {"id", "audit"}  # between answers
    return [
        {name: value for name, value in prediction.items() if name not in varying}
        for prediction in answer.json()["predictions"]
    ]


def _send(port: int, raw: bytes) -> bytes:
    """Send bytes, and read the response until either side closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        result = b""
        while piece := connection.recv(4096):
            result += piece
        return result


def test_bad_requests_among_good_ones_change_no_good_answer(server: Server) -> None:
    with httpx2.Client(base_url=server.address, timeout=20) as client:
        expected = _answer(client)
        assert [prediction["label"] for prediction in expected] == ["right", "left"]
        assert expected[0]["probabilities"] == pytest.approx(tiny.PROBABILITIES[2])

        def refused(request: tuple[str, bytes, dict[str, str]]) -> int:
            path, body, headers = request
            return client.post(path, content=body, headers=headers).status_code

        with ThreadPoolExecutor(4) as pool:
            bad = pool.map(refused, spoilt.bodies(BAD * 3 // 4, "tiny", random.Random(0)))
            broken = pool.map(lambda raw: _send(server.port, raw), spoilt.streams(BAD // 4, random.Random(1)))
            good = pool.map(lambda _: _answer(client), range(200))
            # The pool sends the bad requests in order, and these are sent meanwhile.
            meanwhile = [_answer(client) for _ in range(300)]
            assert all(answer == expected for answer in [*good, *meanwhile])
            statuses = list(bad)
            assert set(statuses) <= {400, 413, 415, 422}, set(statuses)
            heads = [answer.partition(b"\r\n")[0].split(b" ")[1:2] for answer in broken]
            assert all(
                status in ([], [b"200"], [b"400"], [b"404"], [b"405"], [b"413"], [b"415"], [b"422"]) for status in heads
            ), heads
    assert server.process.poll() is None
    assert not [line for line in server.log() if '"level":"error"' in line or "Traceback" in line]
