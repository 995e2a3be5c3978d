"""The outcome of each request of an overload, against servers with fixed answers."""

import itertools

import pytest

from benchmarks.serving.open_loop import every
from benchmarks.serving.overload import run
from tests.benchmarks.answering import OK, REQUEST, answering

BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


def test_every_request_is_answered_refused_or_lost() -> None:
    answers = itertools.cycle([OK, BUSY, BUSY, OK, BUSY] * 9 + [OK, BUSY, BUSY, OK, b""])
    with answering(answers.__next__) as address:
        outcome = run(address, REQUEST, every(rate=500, seconds=0.5), connections=16)
    assert (outcome.sent, len(outcome.answered), len(outcome.refused), outcome.closed) == (250, 100, 145, 5)
    assert outcome.document()["lost"] == 5
    assert len(outcome.behind) == 250
    assert all(latency > 0 for latency in outcome.answered + outcome.refused)


def test_any_other_status_ends_the_run() -> None:
    wrong = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
    with answering(lambda: wrong) as address, pytest.raises(OSError, match="500"):
        run(address, REQUEST, every(rate=100, seconds=0.1), connections=2)
