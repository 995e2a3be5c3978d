"""Three times the highest load, in an open loop: answered, refused and lost requests, and their latency.

The server has one core and the load the other. Each request has a scheduled moment, from a Poisson process independent
of earlier answers, and goes to a free connection; its latency counts from that moment. A refusal is an answer of 503
with `Retry-After`, and is not sent again. A request that is neither answered nor refused is lost.
"""

import gc
import os
import select
import socket
import sys
import time
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from benchmarks.processes import processor_seconds
from benchmarks.serving import servers
from benchmarks.serving.open_loop import at_random, percentiles, written
from benchmarks.serving.requests import Request
from benchmarks.serving.rounds import Spread
from benchmarks.serving.throughput import SECONDS, WARM_UP_SECONDS
from benchmarks.under_test import Served
from benchmarks.wrk import rate, two_cores

ROUNDS = 3
UNLOADED, UNLOADED_SECONDS = 0.05, 6  # of the highest load
TIMES, OVERLOAD_SECONDS = 3, 10
CONNECTIONS = 512
_PATIENCE_SECONDS = 10  # for the last answers
_AT_ONCE = 16  # requests sent before the next check for answers


@dataclass(slots=True)
class Outcome:
    """The requests of one run, by outcome. Times are in seconds."""

    sent: int
    seconds: float  # from the start to the last scheduled moment
    answered: list[float] = field(default_factory=list)  # latencies
    refused: list[float] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)  # from the scheduled moment of a request until it was sent
    closed: int = 0  # connections closed by the server

    def document(self) -> dict[str, Any]:
        """The results as JSON values."""
        return {
            "sent_a_second": self.sent / self.seconds,
            "answered_a_second": len(self.answered) / self.seconds,
            "refused_a_second": len(self.refused) / self.seconds,
            "lost": self.sent - len(self.answered) - len(self.refused),
            "closed": self.closed,
            "answered": percentiles(np.array(self.answered)),
            "refused": percentiles(np.array(self.refused)) if self.refused else None,
            "behind": percentiles(np.array(self.behind)),
        }


def run(address: str, request: Request, moments: NDArray[np.float64], connections: int = CONNECTIONS) -> Outcome:
    """Send at these moments, in seconds from the start, [N]. Raises OSError for a status other than 200 and 503."""
    host, port = urlsplit(address).netloc.split(":")
    message, due = written(request, host), moments.tolist()
    poll, clock = select.epoll(), time.perf_counter
    opened: dict[int, socket.socket] = {}
    for _ in range(connections):
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(connection, select.EPOLLIN)
        opened[connection.fileno()] = connection
    free, meant = deque(opened), dict.fromkeys(opened, 0.0)
    outcome, sent, ended = Outcome(len(due), due[-1]), 0, 0
    start = clock()
    try:
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
                if not received:
                    outcome.closed += 1
                    ended += 1  # without an answer
                    poll.unregister(number)
                    continue
                ended += 1
                free.append(number)
                latency = clock() - start - meant[number]
                (outcome.answered if _is_answered(received) else outcome.refused).append(latency)
            if now > due[-1] + _PATIENCE_SECONDS:
                break
    finally:
        poll.close()
        for connection in opened.values():
            connection.close()
    return outcome


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


def counted(ready: Served) -> dict[str, float]:
    """The service's own counts of `/predict`, by status."""
    with urllib.request.urlopen(f"{ready.address}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    start = 'demur_requests_total{method="POST",route="/predict",status="'
    samples = (line.removeprefix(start).partition('"} ') for line in lines if line.startswith(start))
    return {status: float(value) for status, _, value in samples}


def one(model: Path) -> dict[str, Any]:
    """A new server: its highest load by wrk, then a light load, then an overload."""
    cores, server = two_cores(), servers.ours()
    ask = server.request
    with server.running(model, cores) as ready:
        for duration in (WARM_UP_SECONDS, SECONDS):
            used = processor_seconds(ready.pid)
            highest = rate(ready.address, [ask.path], ask.body, ask.content_type, cores[1], duration)
            answer = (processor_seconds(ready.pid) - used) / (highest * duration)
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores[1:])  # the core that wrk used
        gc.disable()  # a pause of ours would count as the server's
        try:
            unloaded = run(ready.address, ask, at_random(UNLOADED * highest, UNLOADED_SECONDS), 64)
            known, used = counted(ready), processor_seconds(ready.pid)
            loaded = run(ready.address, ask, at_random(TIMES * highest, OVERLOAD_SECONDS))
            used = processor_seconds(ready.pid) - used
        finally:
            gc.enable()
            os.sched_setaffinity(0, before)
        after = counted(ready)
    overload = loaded.document()
    overload["uncounted"] = sum(after.values()) - sum(known.values()) - loaded.sent
    overload["p99_over_unloaded"] = overload["answered"]["p99"] / percentiles(np.array(unloaded.answered))["p99"]
    # In processor time of the server, which other processes on the machine do not change.
    overload["answer_seconds"] = answer
    overload["refusal_seconds"] = (used - answer * len(loaded.answered)) / max(1, len(loaded.refused))
    return {"highest": highest, "unloaded": unloaded.document(), "loaded": overload}


def measure(model: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """All rounds, as a document."""
    results = []
    for _ in range(rounds):
        results.append(one(model))
        print(results[-1], file=sys.stderr, flush=True)
    ratios = Spread.of([each["loaded"]["p99_over_unloaded"] for each in results])
    return {
        "rounds": results,
        "times": TIMES,
        "seconds": OVERLOAD_SECONDS,
        "connections": CONNECTIONS,
        "p99_over_unloaded": ratios.median,
        "lost": sum(each["loaded"]["lost"] for each in results),
    }


def table(document: dict[str, Any]) -> str:
    """A row for each round, in milliseconds."""
    heads = "highest|sent|answered|refused|p99 unloaded|p50|p99|over unloaded|refused p99|lost|price of a refusal"
    names = heads.split("|")
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    for each in document["rounds"]:
        loaded, unloaded = each["loaded"], each["unloaded"]
        rates = [each["highest"], *(loaded[f"{name}_a_second"] for name in ("sent", "answered", "refused"))]
        times = [unloaded["answered"]["p99"], loaded["answered"]["p50"], loaded["answered"]["p99"]]
        late = loaded["refused"]["p99"] if loaded["refused"] else 0.0
        cells = [f"{value:,.0f}/s" for value in rates] + [f"{value * 1000:.2f} ms" for value in times]
        cells += [f"{loaded['p99_over_unloaded']:.1f}", f"{late * 1000:.2f} ms", str(loaded["lost"])]
        cells.append(f"{loaded['refusal_seconds'] / loaded['answer_seconds']:.2f} of an answer")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
