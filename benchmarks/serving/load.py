"""A load that counts each request as answered, refused or lost: by the clock, or from clients that wait for answers.

A refusal is an answer of 503. A request that is neither answered nor refused is lost. The load has a core to itself.
"""

import gc
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.open_loop import percentiles, written
from benchmarks.serving.requests import Request

CONNECTIONS = 1000  # as many as the service keeps by default
_PATIENCE_SECONDS = 10  # for the last answers
_AT_ONCE = 16  # requests sent before the next look for answers


@dataclass(slots=True)
class Outcome:
    """The requests of one run, by outcome. Times are in seconds."""

    sent: int = 0
    seconds: float = 0.0  # from the start to the last answer
    answered: list[float] = field(default_factory=list)  # latencies
    refused: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)  # from the start to their scheduled moments
    behind: list[float] = field(default_factory=list)  # from the scheduled moment of a request until it was sent
    closed: int = 0  # connections closed by the server

    @property
    def lost(self) -> int:
        """How many were neither answered nor refused."""
        return self.sent - len(self.answered) - len(self.refused)

    def add(self, received: bytes, meant: float, now: float) -> bool:
        """Count what arrived for the request of the moment `meant`. Whether it was refused."""
        if not received:
            self.closed += 1
            return False
        if _is_answered(received):
            self.answered.append(now - meant)
            return False
        self.refused.append(now - meant)
        self.refused_at.append(meant)
        return True

    def document(self) -> dict[str, Any]:
        """The results as JSON values."""
        return {
            "sent_a_second": self.sent / self.seconds,
            "answered_a_second": len(self.answered) / self.seconds,
            "refused_a_second": len(self.refused) / self.seconds,
            "lost": self.lost,
            "closed": self.closed,
            "answered": percentiles(np.array(self.answered)) if self.answered else None,
            "refused": percentiles(np.array(self.refused)) if self.refused else None,
            "behind": percentiles(np.array(self.behind)) if self.behind else None,
        }


def by_the_clock(
    address: str, request: Request, moments: NDArray[np.float64], connections: int = CONNECTIONS
) -> Outcome:
    """An open loop: send at these moments, in seconds from the start, [N], whatever has been answered.

    Each request goes to a free connection; its latency counts from its moment. A refused one is not sent again. Raises
    OSError for a status other than 200 and 503.
    """
    due, clock, sent = moments.tolist(), time.perf_counter, 0
    outcome = Outcome(len(due))
    with _connected(address, request, connections) as (opened, message, poll):
        free, meant = deque(opened), dict.fromkeys(opened, 0.0)
        start, ended = clock(), 0
        while ended < len(due):
            now = clock() - start
            for _ in range(_AT_ONCE):
                if not (free and sent < len(due) and due[sent] <= now):
                    break
                number = free.popleft()
                opened[number].sendall(message)
                meant[number] = due[sent]
                outcome.behind.append(now - due[sent])
                sent += 1
            for number, _ in poll.poll(0):
                received = opened[number].recv(1 << 16)
                outcome.seconds = clock() - start
                outcome.add(received, meant[number], outcome.seconds)
                ended += 1
                if received:
                    free.append(number)
                else:
                    poll.unregister(number)
            if now > due[-1] + _PATIENCE_SECONDS:
                break
    return outcome


def by_clients(address: str, request: Request, connections: int, seconds: float, wait: float) -> Outcome:
    """A closed loop: each connection sends its next request with the answer to the last, for that long.

    After a refusal it sends again `wait` seconds later. Raises OSError as `by_the_clock` does.
    """
    clock, outcome = time.perf_counter, Outcome()
    with _connected(address, request, connections) as (opened, message, poll):
        waiting = deque((0.0, number) for number in opened)  # until they send again
        meant, start, now = dict.fromkeys(opened, 0.0), clock(), 0.0
        while now < seconds + _PATIENCE_SECONDS and (now < seconds or outcome.lost > outcome.closed):
            now = clock() - start
            while now < seconds and waiting and waiting[0][0] <= now:
                _, number = waiting.popleft()
                opened[number].sendall(message)
                meant[number] = clock() - start
                outcome.sent += 1
            for number, _ in poll.poll(0):
                received = opened[number].recv(1 << 16)
                outcome.seconds = now = clock() - start
                if outcome.add(received, meant[number], now) and wait:
                    waiting.append((now + wait, number))
                elif not received:
                    poll.unregister(number)
                elif now < seconds:
                    opened[number].sendall(message)
                    meant[number] = now
                    outcome.sent += 1
    return outcome


@contextmanager
def _connected(
    address: str, request: Request, count: int
) -> Iterator[tuple[dict[int, socket.socket], bytes, select.epoll]]:
    """Connections by their numbers, the bytes of a request, and what waits for answers. No pause of ours meanwhile."""
    host, port = urlsplit(address).netloc.split(":")
    opened: dict[int, socket.socket] = {}
    with select.epoll() as poll:
        gc.disable()
        try:
            for _ in range(count):
                connection = socket.create_connection((host, int(port)))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                poll.register(connection, select.EPOLLIN)
                opened[connection.fileno()] = connection
            yield opened, written(request, host), poll
        finally:
            gc.enable()
            for connection in opened.values():
                connection.close()


def _is_answered(received: bytes) -> bool:
    """True for an answer, false for a refusal.

    The bytes are assumed complete: the server writes them in one piece, shorter than a loopback interface's packet.

    >>> _is_answered(b"HTTP/1.1 200 OK"), _is_answered(b"HTTP/1.1 503 Service Unavailable")
    (True, False)
    """
    status = received[9:12]
    if status not in (b"200", b"503") or received[:9] != b"HTTP/1.1 ":
        raise OSError(received[:100].decode(errors="replace"))
    return status == b"200"
