"""An open loop: requests are sent by the clock, whether or not earlier ones have been answered.

wrk sends the next request when it has the last answer, so a server that stops for a second gets 16 requests in it
instead of 10,000, and 16 slow answers vanish in the percentiles. Here each request has a scheduled moment, and its
latency counts from then on, as in wrk2: the wait for a free connection is part of it. wrk2 itself is in none of the
package indexes that `make` uses, so the loop is written here.

The loop has a core to itself and never sleeps: a timer's millisecond would be more than the latency.
"""

import select
import socket
import time
from collections import deque
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.requests import Request

CONNECTIONS = 64
_PATIENCE_SECONDS = 10  # for the last answers


def every(rate: float, seconds: float) -> NDArray[np.float64]:
    """Moments at a fixed rate, in seconds from the start, [N].

    >>> every(rate=4, seconds=1)
    array([0.  , 0.25, 0.5 , 0.75])
    """
    return np.arange(round(rate * seconds)) / rate


def at_random(rate: float, seconds: float) -> NDArray[np.float64]:
    """Moments of a Poisson process with that mean rate, as from many independent users, [N]."""
    gaps = np.random.default_rng(0).exponential(1 / rate, round(rate * seconds))
    return np.cumsum(gaps)


def latencies(address: str, request: Request, moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds from the scheduled moment of each request to its answer, float64 [N].

    Raises OSError if an answer's status is not 200, or if answers are missing.
    """
    host, port = urlsplit(address).netloc.split(":")
    connections = [_Connection(host, int(port)) for _ in range(CONNECTIONS)]
    try:
        return _run(connections, written(request, host), moments)
    finally:
        for connection in connections:
            connection.socket.close()


def percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    """p50, p90, p99 and p99.9: for each, the smallest value with at least that share of all at or under it.

    >>> percentiles(np.arange(1, 1001.0))
    {'p50': 500.0, 'p90': 900.0, 'p99': 990.0, 'p99.9': 999.0}
    """
    ordered, per_mille = np.sort(values), {"p50": 500, "p90": 900, "p99": 990, "p99.9": 999}
    return {name: float(ordered[-(-len(ordered) * share // 1000) - 1]) for name, share in per_mille.items()}


def _run(connections: list["_Connection"], message: bytes, moments: NDArray[np.float64]) -> NDArray[np.float64]:
    poll = select.epoll()
    by_number = {connection.socket.fileno(): connection for connection in connections}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    free, due = deque(connections), moments.tolist()  # used in turn, so that none is closed for being idle
    latency_seconds: deque[float] = deque()
    sent, clock = 0, time.perf_counter
    start = clock()
    while len(latency_seconds) < len(due):
        now = clock() - start
        while free and sent < len(due) and due[sent] <= now:
            free.popleft().send(message, due[sent])
            sent += 1
        for number, _ in poll.poll(0):
            connection = by_number[number]
            if connection.receive():
                latency_seconds.append(clock() - start - connection.meant)
                free.append(connection)
        if now > due[-1] + _PATIENCE_SECONDS:
            raise OSError(f"{len(due) - len(latency_seconds)} of {len(due)} requests have no answer")
    return np.array(latency_seconds)


@dataclass(slots=True)
class _Connection:
    """A connection with at most one open request."""

    socket: socket.socket
    meant: float  # scheduled moment of the current request
    received: bytes
    length: int | None  # of the complete answer, once its head has arrived

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.meant, self.received, self.length = 0.0, b"", None

    def send(self, message: bytes, meant: float) -> None:
        self.meant = meant
        self.socket.sendall(message)

    def receive(self) -> bool:
        """Read the bytes that have arrived; true if the answer is complete."""
        arrived = self.socket.recv(1 << 16)
        if not arrived:
            raise OSError("the server closed a connection")
        self.received = self.received + arrived if self.received else arrived
        if self.length is None:
            self.length = _length(self.received)
        if self.length is None or len(self.received) < self.length:
            return False
        self.received, self.length = b"", None
        return True


def _length(received: bytes) -> int | None:
    """Bytes of head and body together; None until the head is complete.

    >>> _length(b"HTTP/1.1 200 OK" + bytes([13, 10]) + b"content-length: 2" + bytes([13, 10, 13, 10]) + b"{")
    40
    """
    head, end, _ = received.partition(b"\r\n\r\n")
    if not end:
        return None
    if not head.startswith(b"HTTP/1.1 200 "):
        raise OSError(head.partition(b"\r\n")[0].decode(errors="replace"))
    size = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(head) + len(end) + int(size)


def written(request: Request, host: str) -> bytes:
    """The bytes of the request."""
    lines = (
        f"POST {request.path} HTTP/1.1",
        f"Host: {host}",
        f"Content-Type: {request.content_type}",
        f"Content-Length: {len(request.body)}",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + request.body
