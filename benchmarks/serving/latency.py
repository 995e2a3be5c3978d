"""Latency at 70 % of the highest load, in an open loop (see `open_loop`), of the service and the limit in turn."""

import gc
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving import servers
from benchmarks.serving.open_loop import CONNECTIONS, at_random, every, latencies, percentiles
from benchmarks.serving.rounds import Spread
from benchmarks.serving.servers import Server
from benchmarks.serving.throughput import SECONDS, WARM_UP_SECONDS, with_limits
from benchmarks.wrk import rate, two_cores

ROUNDS, LOAD, OPEN_SECONDS = 3, 0.7, 6
_PAUSE_SECONDS = 0.0005
ARRIVALS = {"fixed": every, "Poisson": at_random}


def standing_still(core: int, seconds: float = 2) -> float:
    """Share of the time in which the machine stops a loop for over half a millisecond at a time.

    It bounds the tail latency that any server can reach on this machine.
    """
    before, clock = os.sched_getaffinity(0), time.perf_counter
    os.sched_setaffinity(0, {core})
    start = last = clock()
    lost = 0.0
    while (now := clock()) < start + seconds:
        if now - last > _PAUSE_SECONDS:
            lost += now - last
        last = now
    os.sched_setaffinity(0, before)
    return lost / seconds


def one(server: Server, model: Path) -> dict[str, Any]:
    """The highest load by wrk, and the percentiles at 70 % of it, in seconds, by kind of arrivals."""
    cores, ask = two_cores(), server.request
    with server.running(model, cores) as ready:
        for duration in (WARM_UP_SECONDS, SECONDS):
            highest = rate(ready.address, [ask.path], ask.body, ask.content_type, cores[1], duration)
        result: dict[str, Any] = {"highest": highest}
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores[1:])  # the core that wrk used
        gc.disable()  # a pause of ours would count as the server's
        try:
            for name, arrivals in ARRIVALS.items():
                result[name] = percentiles(latencies(ready.address, ask, arrivals(LOAD * highest, OPEN_SECONDS)))
        finally:
            gc.enable()
            os.sched_setaffinity(0, before)
    return result


def measure(model: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """All rounds, as a document, with the median of each percentile."""
    compared = with_limits([servers.ours()], model)
    results: dict[str, list[dict[str, Any]]] = {server.name: [] for server in compared}
    still = []
    for _ in range(rounds):
        still.append(max(standing_still(core) for core in two_cores()))
        for server in compared:
            results[server.name].append(one(server, model))
            print(f"{server.name:20} {results[server.name][-1]}", file=sys.stderr, flush=True)
    medians = {
        name: {
            "highest": Spread.of([each["highest"] for each in measured]).median,
            **{
                kind: {key: float(np.median([each[kind][key] for each in measured])) for key in measured[0][kind]}
                for kind in ARRIVALS
            },
            "p99_over_p50": Spread.of([each["fixed"]["p99"] / each["fixed"]["p50"] for each in measured]).median,
        }
        for name, measured in results.items()
    }
    return {
        "rounds": rounds,
        "seconds": OPEN_SECONDS,
        "connections": CONNECTIONS,
        "load": LOAD,
        "standing_still": still,
        "servers": medians,
    }


def table(document: dict[str, Any]) -> str:
    """The percentiles in microseconds, as a table."""
    lines = ["| server | arrivals | requests/s | p50 | p90 | p99 | p99.9 |", "|---|---|---|---|---|---|---|"]
    for name, row in document["servers"].items():
        for kind in ARRIVALS:
            shown = " | ".join(f"{value * 1e6:,.0f} us" for value in row[kind].values())
            lines.append(f"| {name} | {kind} | {LOAD * row['highest']:,.0f} | {shown} |")
    still = ", ".join(f"{share:.2%}" for share in document["standing_still"])
    return "\n".join([*lines, f"The machine itself stood still for {still} of the time before each round."])
