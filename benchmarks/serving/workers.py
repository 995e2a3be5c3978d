"""Two workers on two cores against one on one core, without the share of the load generator.

wrk needs processor time as well, and with two workers there is no third core for it. So the comparison is of requests
per second of the servers' own processor time, from /proc: if two workers took twice the time per request, they would
answer no more than one. With one worker wrk has the other core; with two it shares both with them.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import processor_seconds, tree
from benchmarks.serving import servers
from benchmarks.serving.rounds import Spread, ratios
from benchmarks.serving.servers import Server
from benchmarks.serving.throughput import with_limits
from benchmarks.under_test import served
from benchmarks.wrk import rate, two_cores

ROUNDS, SECONDS, CONNECTIONS = 3, 4, 32


@dataclass(frozen=True, slots=True)
class Work:
    """The throughput of a server with some number of workers."""

    per_second: float  # requests, in wall time
    per_processor_second: float  # requests, in processor time of the server
    busiest: float  # share of the busiest process in that time


def work(server: Server, workers: int, model: Path) -> Work:
    """Measure once."""
    cores, ask = two_cores(), server.request
    settings = {**server.settings, "DEMUR_MODEL_PATH": str(model.resolve())}
    if workers > 1:
        settings["DEMUR_WORKERS"] = str(workers)
    loaders = cores[1:] if workers == 1 else cores
    with served(server.arguments, *cores[:workers], settings=settings) as ready:

        def load(seconds: int) -> float:
            return rate(
                ready.address, [ask.path], ask.body, ask.content_type, loaders, seconds, connections=CONNECTIONS
            )

        load(2)  # the second worker may be ready later than the first
        processes = tree(ready.pid)
        before = [processor_seconds(pid) for pid in processes]
        per_second = load(SECONDS)
        used = [processor_seconds(pid) - was for pid, was in zip(processes, before, strict=True)]
    return Work(per_second, per_second * SECONDS / sum(used), max(used) / sum(used))


def measure(model: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """The service and the limit, with one worker and with two, as a document."""
    compared = with_limits([servers.ours()], model)
    results: dict[tuple[str, int], list[Work]] = {(server.name, n): [] for server in compared for n in (1, 2)}
    for _ in range(rounds):
        for server in compared:
            for n in (1, 2):
                results[server.name, n].append(work(server, n, model))
                print(f"{server.name:20} {n} {results[server.name, n][-1]}", file=sys.stderr, flush=True)

    def both(name: str, what: Callable[[Work], float], times: int) -> float:
        one, two = ([what(each) for each in results[name, n]] for n in (1, 2))
        return times * ratios(two, one).median

    return {
        "rounds": rounds,
        "servers": {
            server.name: {
                "speed_up": both(server.name, lambda each: each.per_processor_second, 2),
                "speed_up_with_wrk_between": both(server.name, lambda each: each.per_second, 1),
                "busiest": Spread.of([each.busiest for each in results[server.name, 2]]).median,
            }
            for server in compared
        },
    }


def table(document: dict[str, Any]) -> str:
    """The speed-up of two workers over one, as a table."""
    lines = ["| server | by the servers' own time | wrk between them | the busier one's share |", "|---|---|---|---|"]
    for name, row in document["servers"].items():
        lines.append(
            f"| {name} | {row['speed_up']:.2f} | {row['speed_up_with_wrk_between']:.2f} | {row['busiest']:.0%} |"
        )
    return "\n".join(lines)
