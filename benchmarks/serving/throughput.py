"""Requests a second, and processor time of a request: a server on one core, wrk on the other, a new process each round.

Other processes on the machine change the requests a second, but hardly the server's own processor time. So shares of
the limit are of processor time. Before the timing, the answer of each server is compared with onnxruntime; a failed
request ends the program.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.processes import processor_seconds, tree
from benchmarks.serving import environments, requests, servers
from benchmarks.serving.rounds import Spread, interleaved, ratios
from benchmarks.serving.servers import Server
from benchmarks.wrk import CONNECTIONS, rate, two_cores
from service.inference.classifier import Classifier

ROUNDS, SECONDS, WARM_UP_SECONDS = 5, 2, 1
CONSTANT_BYTES = 250  # the limit for servers whose answers are not ours


def right(model: Path) -> NDArray[np.float32]:
    """The probabilities of the image by onnxruntime, float32 [C]."""
    probabilities: NDArray[np.float32] = Classifier.load(model).scores(requests.image()[None]).probabilities[0]
    return probabilities


class Load(NamedTuple):
    """What a server got through."""

    per_second: float  # requests
    processor_seconds: float  # for each request, of the server and its children


def load(server: Server, model: Path, seconds: int = SECONDS) -> Load:
    """Start the server, check it, warm it up and measure."""
    cores, ask = two_cores(), server.request
    with server.running(model, cores) as ready:
        try:
            server.check(ask.send(ready.address), right(model))
        except (OSError, ValueError) as wrong:
            sys.exit(f"{server.name} does not answer rightly: {wrong}")
        for duration in (WARM_UP_SECONDS, seconds):
            processes = tree(ready.pid)
            used = -sum(map(processor_seconds, processes))
            per_second = rate(
                ready.address,
                [ask.path],
                ask.body,
                ask.content_type,
                cores[1],
                duration,
                headers=ask.headers,
                connections=server.connections,
            )
            used += sum(map(processor_seconds, processes))
    return Load(per_second, used / (per_second * seconds))


def with_limits(ours: Sequence[Server], model: Path) -> list[Server]:
    """The given servers, each with a limit that has as many bytes in and out."""
    both = []
    for server in ours:
        with server.running(model, two_cores()) as ready:
            size = len(server.request.send(ready.address))
        both += [server, servers.limit(server, size)]
    return both


def measure(compared: Sequence[Server], model: Path, rounds: int = ROUNDS, seconds: int = SECONDS) -> dict[str, Any]:
    """All results, as a document. The limit of `demur-json` must be among the servers."""

    def one(server: Server) -> Load:
        result = load(server, model, seconds)
        print(
            f"{server.name:22} {result.per_second:9,.0f} requests/s {result.processor_seconds * 1e6:7.1f} us",
            file=sys.stderr,
            flush=True,
        )
        return result

    loads = interleaved(compared, rounds, one, lambda server: server.name)
    times = {name: [each.processor_seconds for each in measured] for name, measured in loads.items()}
    limit = times["limit-demur-json"]
    return {
        "connections": CONNECTIONS,
        "rounds": rounds,
        "seconds": seconds,
        "servers": [
            {
                "name": server.name,
                "title": server.title,
                "versions": environments.versions(server.peer) if server.peer else {},
                "requests_per_second": [each.per_second for each in loads[server.name]],
                "processor_seconds": times[server.name],
                "of_the_limit": ratios(limit, times[server.name]).median,
            }
            for server in compared
        ],
    }


def table(document: dict[str, Any]) -> str:
    """The results as a table, the fastest last."""
    rows = sorted(document["servers"], key=lambda row: row["of_the_limit"])
    lines = ["| server | requests/s | us of processor time | of the limit |", "|---|---|---|---|"]
    for row in rows:
        title = f"**{row['title']}**" if row["name"].startswith("demur") else row["title"]
        spread = Spread.of(row["requests_per_second"]).shown(",.0f")
        time = Spread.of([seconds * 1e6 for seconds in row["processor_seconds"]]).shown(".0f")
        lines.append(f"| {title} | {spread} | {time} | {row['of_the_limit']:.2g} |")
    return "\n".join(lines)
