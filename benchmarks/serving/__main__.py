"""`make bench`, `make bench-peers` and `make bench-gate`: `python -m benchmarks.serving MODEL PART...`.

Each part writes `build/bench/PART.json`. At the end all targets of serving are printed, with the results of the parts
run now or before. `gate` runs short rounds instead, and exits with 1 if the service is under 0.30 of the limit each
time.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.serving import (
    bulk,
    footprint,
    latency,
    overload,
    packages,
    results,
    servers,
    targets,
    throughput,
    workers,
)
from benchmarks.serving.environments import make, names

PARTS = ("throughput", "latency", "workers", "footprint", "bulk", "packages", "overload", "peers")
GATE, GATE_ROUNDS, GATE_SECONDS, GATE_TRIES = 0.30, 5, 1, 3


def ours_and_plain(model: Path, rounds: int) -> dict[str, Any]:
    """The service with its kinds of request, a limit for each, and a plain FastAPI service."""
    forms = [*(servers.ours(form) for form in servers.FORMS), servers.ours(connections=1)]
    compared = [*throughput.with_limits(forms, model), *servers.first_choices()]
    document = throughput.measure(compared, model, rounds)
    print(throughput.table(document))
    for form in forms:
        print(f"{form.name}: {targets.share_of_limit(document, form.name).shown('.3f')} of the limit with its bytes")
    return document


def with_peers(model: Path, rounds: int) -> dict[str, Any]:
    """The service, the limit, a plain FastAPI service, and the peers in separate environments."""
    for peer in names():
        make(peer)
    ours = servers.ours()
    compared = [
        *throughput.with_limits([ours], model),
        servers.limit(ours, throughput.CONSTANT_BYTES, name="limit"),
        *servers.first_choices(),
        *servers.peers(),
    ]
    document = throughput.measure(compared, model, rounds)
    print(throughput.table(document))
    return document


def gate(model: Path) -> int:
    """The exit status.

    A shared machine can slow down the service for seconds without slowing down the limit. A real regression shows each
    time.
    """
    compared = throughput.with_limits([servers.ours()], model)
    for _ in range(GATE_TRIES):
        document = throughput.measure(compared, model, GATE_ROUNDS, GATE_SECONDS)
        share = targets.share_of_limit(document, "demur-json")
        print(
            f"one JSON image: {share.shown('.3f')} of the limit by processor time, median of {GATE_ROUNDS} rounds; "
            f"target at least {GATE}"
        )
        if share.median >= GATE:
            return 0
    return 1


def main() -> int:
    """Run the parts, print the targets; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "gate"])
    parser.add_argument("--rounds", type=int, help="instead of each part's own number")
    options = parser.parse_args()
    model: Path = options.model
    if options.parts == ["gate"]:
        return gate(model)
    for part in options.parts:
        print(f"\n== {part}", flush=True)
        results.write(part, _run(part, model, options.rounds))
    print("\nserving, targets and results:")
    for target in targets.all_targets({part: results.read(part) for part in PARTS}):
        print("  " + target.line())
    return 0


def _run(part: str, model: Path, rounds: int | None) -> dict[str, Any]:
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        "throughput": lambda: ours_and_plain(model, rounds or throughput.ROUNDS),
        "peers": lambda: with_peers(model, rounds or throughput.ROUNDS),
        "latency": lambda: _shown(latency.measure(model, rounds or latency.ROUNDS), latency.table),
        "workers": lambda: _shown(workers.measure(model, rounds or workers.ROUNDS), workers.table),
        "footprint": lambda: footprint.measure(model, rounds or footprint.ROUNDS),
        "bulk": lambda: _shown(bulk.measure(model, rounds or bulk.ROUNDS), bulk.table),
        "overload": lambda: _shown(overload.measure(model, rounds or overload.ROUNDS), overload.table),
        "packages": lambda: _shown(packages.measure(), packages.table),
    }
    return runs[part]()


def _shown(document: dict[str, Any], table: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    print(table(document))
    return document


if __name__ == "__main__":
    sys.exit(main())
