"""What becomes of each request of an overload, against servers whose answers are known."""

import itertools
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.serving.open_loop import every
from benchmarks.serving.overload import run
from benchmarks.serving.questions import Question

QUESTION = Question("/predict", b"[1]")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def answering(answers: list[bytes]) -> Iterator[str]:
    """A server that gives these answers in turn; to an empty one it ends the connection."""
    turn, following = threading.Lock(), itertools.cycle(answers)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline():
                while self.rfile.readline() != b"\r\n":
                    pass
                assert self.rfile.read(len(QUESTION.body)) == QUESTION.body
                with turn:
                    answer = next(following)
                if not answer:
                    return
                self.wfile.write(answer)

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_every_request_is_answered_refused_or_lost() -> None:
    with answering([OK, BUSY, BUSY, OK, BUSY] * 9 + [OK, BUSY, BUSY, OK, b""]) as address:
        found = run(address, QUESTION, every(rate=500, seconds=0.5), connections=16)
    assert (found.asked, len(found.answered), len(found.refused), found.closed) == (250, 100, 145, 5)
    assert found.document()["lost"] == 5
    assert len(found.behind) == 250
    assert all(latency > 0 for latency in found.answered + found.refused)


def test_a_status_that_is_neither_ends_it() -> None:
    wrong = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
    with answering([wrong]) as address, pytest.raises(OSError, match="500"):
        run(address, QUESTION, every(rate=100, seconds=0.1), connections=2)
