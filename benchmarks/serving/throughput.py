"""Requests a second: a server on one core, wrk on the other, a new process in every round.

Before the timing, the answer of each server is compared with onnxruntime; a failed request ends the program.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def requests_a_second(server: Server, model: Path, seconds: int = SECONDS) -> float:
    """Start the server, check it, warm it up and measure."""
    cores, ask = two_cores(), server.request
    with server.running(model, cores) as ready:
        try:
            server.check(ask.send(ready.address), right(model))
        except (OSError, ValueError) as wrong:
            sys.exit(f"{server.name} does not answer rightly: {wrong}")
        for duration in (WARM_UP_SECONDS, seconds):
            per_second = rate(ready.address, [ask.path], ask.body, ask.content_type, cores[1], duration)
    return per_second


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

    def one(server: Server) -> float:
        per_second = requests_a_second(server, model, seconds)
        print(f"{server.name:20} {per_second:9,.0f} requests/s", file=sys.stderr, flush=True)
        return per_second

    rates = interleaved(compared, rounds, one, lambda server: server.name)
    limit = rates["limit-demur-json"]
    return {
        "connections": CONNECTIONS,
        "rounds": rounds,
        "seconds": seconds,
        "servers": [
            {
                "name": server.name,
                "title": server.title,
                "versions": environments.versions(server.peer) if server.peer else {},
                "requests_per_second": rates[server.name],
                "of_the_limit": ratios(rates[server.name], limit).median,
            }
            for server in compared
        ],
    }


def table(document: dict[str, Any]) -> str:
    """The results as a table, the fastest last."""
    rows = sorted(document["servers"], key=lambda row: row["of_the_limit"])
    lines = ["| server | requests/s | of the limit |", "|---|---|---|"]
    for row in rows:
        title = f"**{row['title']}**" if row["name"].startswith("demur") else row["title"]
        spread = Spread.of(row["requests_per_second"]).shown(",.0f")
        share = row["of_the_limit"]
        lines.append(f"| {title} | {spread} | {share:.2g} |")
    return "\n".join(lines)
