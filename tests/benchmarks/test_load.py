"""The outcome of each request of a load, against servers with fixed answers."""

import itertools

import pytest

from benchmarks.serving.load import by_clients, by_the_clock
from benchmarks.serving.open_loop import every
from tests.benchmarks.answering import OK, REQUEST, answering

BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


def test_every_request_is_answered_refused_or_lost() -> None:
    answers = itertools.cycle([OK, BUSY, BUSY, OK, BUSY] * 9 + [OK, BUSY, BUSY, OK, b""])
    with answering(answers.__next__) as address:
        outcome = by_the_clock(address, REQUEST, every(rate=500, seconds=0.5), connections=16)
    assert (outcome.sent, len(outcome.answered), len(outcome.refused), outcome.closed) == (250, 100, 145, 5)
    assert outcome.lost == outcome.document()["lost"] == 5
    assert len(outcome.behind) == 250
    assert all(latency > 0 for latency in outcome.answered + outcome.refused)


def test_any_other_status_ends_the_run() -> None:
    wrong = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
    with answering(lambda: wrong) as address, pytest.raises(OSError, match="500"):
        by_the_clock(address, REQUEST, every(rate=100, seconds=0.1), connections=2)


def test_clients_send_again_at_once_or_after_a_wait() -> None:
    with answering(lambda: BUSY) as address:
        waiting = by_clients(address, REQUEST, connections=8, seconds=0.2, wait=60.0)
        assert (waiting.sent, len(waiting.refused), waiting.lost) == (8, 8, 0)
        again = by_clients(address, REQUEST, connections=8, seconds=0.2, wait=0.0)
        assert again.sent == len(again.refused) > 8
    with answering(lambda: OK) as address:
        answered = by_clients(address, REQUEST, connections=8, seconds=0.2, wait=60.0)
        assert answered.sent == len(answered.answered) > 8
