"""The open loop against servers with known response times."""

import itertools
import threading

import numpy as np
import pytest

from benchmarks.serving.open_loop import at_random, every, latencies, percentiles
from tests.benchmarks.answering import OK, REQUEST, answering


def test_pause_delays_every_request_due_during_it() -> None:
    """At 500 a second a pause of 0.4 s delays 200 of 500 requests; a closed loop would count only one."""
    never, request_numbers = threading.Event(), itertools.count(1)

    def following() -> bytes:
        if next(request_numbers) == 100:
            never.wait(0.4)
        return OK

    with answering(following) as address:
        seconds = latencies(address, REQUEST, every(rate=500, seconds=1))
    assert len(seconds) == 500
    assert 150 <= (seconds > 0.05).sum() <= 400  # due in the first 0.35 s of the pause, and more on a busy machine
    assert seconds.max() >= 0.35


def test_status_other_than_200_is_an_error() -> None:
    unavailable = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
    with answering(lambda: unavailable) as address, pytest.raises(OSError, match="503"):
        latencies(address, REQUEST, every(rate=100, seconds=0.1))


def test_random_arrivals_have_the_requested_rate() -> None:
    moments = at_random(rate=1000, seconds=10)
    assert len(moments) == 10_000
    assert moments[-1] == pytest.approx(10, rel=0.05)
    gaps = np.diff(moments)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # exponential


def test_percentiles_are_values_that_occurred() -> None:
    assert percentiles(np.array([3.0, 1.0, 2.0])) == {"p50": 2.0, "p90": 3.0, "p99": 3.0, "p99.9": 3.0}
