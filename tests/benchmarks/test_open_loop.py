"""The open loop, against servers whose answers take a known time."""

import asyncio
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
    loop, ready, address = asyncio.new_event_loop(), threading.Event(), []
    asked = 0

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                assert await reader.readexactly(len(QUESTION.body)) == QUESTION.body
                asked += 1
                if asked == stop_at:
                    threading.Event().wait(stop_seconds)  # the loop, and so everybody
                writer.write(answer)
        except asyncio.IncompleteReadError:
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(client, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        address.append(f"http://{host}:{port}")
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
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
