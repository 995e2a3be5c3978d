"""The open loop, against servers whose answers take a known time."""

import itertools
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from benchmarks.serving.open_loop import at_random, every, latencies, percentiles
from benchmarks.serving.questions import Question

QUESTION = Question("/predict", b"[1]")


@contextmanager
def answering(answer: bytes, stop_at: int = 0, stop_seconds: float = 0.0) -> Iterator[str]:
    """A server that answers at once, but for the request with number `stop_at`, at which all of it stands still."""
    one_at_a_time, never, asked = threading.Lock(), threading.Event(), itertools.count(1)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline():
                while self.rfile.readline() != b"\r\n":
                    pass
                assert self.rfile.read(len(QUESTION.body)) == QUESTION.body
                with one_at_a_time:
                    if next(asked) == stop_at:
                        never.wait(stop_seconds)
                self.wfile.write(answer)

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """A connection that the loop has cut off."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def test_a_pause_counts_for_all_that_should_have_been_sent_in_it() -> None:
    """At 500 a second a pause of 0.4 s holds up 200 of 500 requests; whoever waits for answers counts but one."""
    with answering(OK, stop_at=100, stop_seconds=0.4) as address:
        found = latencies(address, QUESTION, every(rate=500, seconds=1))
    assert len(found) == 500
    assert 150 <= (found > 0.05).sum() <= 400  # those of the pause's first 0.35 s, and more on a busy machine
    assert found.max() >= 0.35


def test_an_answer_that_is_no_200_is_an_error() -> None:
    unavailable = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
    with answering(unavailable) as address, pytest.raises(OSError, match="503"):
        latencies(address, QUESTION, every(rate=100, seconds=0.1))


def test_random_arrivals_have_the_rate_asked_for() -> None:
    moments = at_random(rate=1000, seconds=10)
    assert len(moments) == 10_000
    assert moments[-1] == pytest.approx(10, rel=0.05)
    gaps = np.diff(moments)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # exponential


def test_percentiles_are_values_that_occurred() -> None:
    assert percentiles(np.array([3.0, 1.0, 2.0])) == {"p50": 2.0, "p90": 3.0, "p99": 3.0, "p99.9": 3.0}
