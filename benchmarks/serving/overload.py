"""What is answered, how late, and whether anything is lost, when more requests come than the service can answer.

The server has one core and the load the other. Each row of the table is one load on the same server, relative to its
highest load, which wrk finds first. `python -m benchmarks.serving.overload MODEL` is the gate, of a few seconds.
"""

import os
import signal
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.processes import processor_seconds
from benchmarks.serving import servers
from benchmarks.serving.load import Outcome, by_clients, by_the_clock
from benchmarks.serving.open_loop import at_random
from benchmarks.serving.requests import Request
from benchmarks.serving.throughput import SECONDS, WARM_UP_SECONDS
from benchmarks.under_test import Served
from benchmarks.wrk import rate, two_cores

ROUNDS = 3
P99_SECONDS = 0.1  # the bound for what is answered in an open loop
CLOCK_SECONDS, CLIENT_SECONDS = 5, 3
STALL_AT, AFTER_STALL = 1.0, 2.0  # from the start; from the end of the stall until nothing is refused, in seconds
# Of the answers a second of processor time at the highest load: half as much as in the table, for a busy machine.
GATE, GATE_TRIES = {300: 0.4, 1000: 0.25}, 3


class Row(NamedTuple):
    """One kind of load."""

    name: str
    bound: float | None  # answers, of the highest load or of what is sent if that is less
    run: Callable[[Served, Request, float], Outcome]  # with the highest load
    times: float | None = None  # the highest load, in an open loop
    stall: float | None = None  # seconds for which the service is held up


def rows() -> list[Row]:
    """All rows of the table."""
    listed = [
        Row(f"{times:g} times the highest load", 0.8, _open(times, CLOCK_SECONDS), times) for times in (1.5, 2, 3)
    ]
    listed += [
        Row(f"{count:,} clients that send again at once", bound, _closed(count, wait=0.0))
        for count, bound in ((128, 0.8), (200, 0.8), (300, 0.8), (500, 0.8), (1000, 0.5))
    ]
    listed.append(Row("1,000 clients that wait for `Retry-After`", 0.8, _closed(1000, wait=1.0)))
    for times in (0.3, 0.7):
        for stall in (0.1, 1.0):
            name = f"{times:g} times the highest load, held up for {stall:g} s"
            listed.append(Row(name, None, _open(times, STALL_AT + stall + AFTER_STALL + 1, stall), times, stall))
    return listed


def _open(times: float, seconds: float, stall: float = 0.0) -> Callable[[Served, Request, float], Outcome]:
    def run(ready: Served, ask: Request, highest: float) -> Outcome:
        with _held_up(ready.pid, stall):
            return by_the_clock(ready.address, ask, at_random(times * highest, seconds))

    return run


def _closed(connections: int, wait: float) -> Callable[[Served, Request, float], Outcome]:
    return lambda ready, ask, _: by_clients(ready.address, ask, connections, CLIENT_SECONDS, wait)


@contextmanager
def _held_up(pid: int, seconds: float) -> Iterator[None]:
    """Stop the process for that long, as a throttled container is; never for 0 s."""
    after = [(STALL_AT, signal.SIGSTOP), (STALL_AT + seconds, signal.SIGCONT)] if seconds else []
    timers = [threading.Timer(delay, os.kill, (pid, number)) for delay, number in after]
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.join()


def counted(ready: Served) -> float:
    """The service's own count of requests to `/predict`."""
    with urllib.request.urlopen(f"{ready.address}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    start = 'demur_requests_total{method="POST",route="/predict",status="'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start))


@contextmanager
def _measured(model: Path) -> Iterator[tuple[Served, Request, float, float]]:
    """A new server, a request, the highest load, and the processor seconds of an answer. We have the other core."""
    cores, server = two_cores(), servers.ours()
    ask, before = server.request, os.sched_getaffinity(0)
    with server.running(model, cores) as ready:
        for duration in (WARM_UP_SECONDS, SECONDS):
            used = processor_seconds(ready.pid)
            highest = rate(ready.address, [ask.path], ask.body, ask.content_type, cores[1], duration)
            answer = (processor_seconds(ready.pid) - used) / (highest * duration)
        os.sched_setaffinity(0, cores[1:])  # the core that wrk used
        try:
            yield ready, ask, highest, answer
        finally:
            os.sched_setaffinity(0, before)


def one(model: Path) -> dict[str, Any]:
    """All rows, on a new server."""
    with _measured(model) as (ready, ask, highest, answer):
        results = []
        for row in rows():
            known, used = counted(ready), processor_seconds(ready.pid)
            outcome = row.run(ready, ask, highest)
            used = processor_seconds(ready.pid) - used
            document = outcome.document()
            document["name"] = row.name
            document["ratio"] = document["answered_a_second"] / (highest * min(1, row.times or 1))
            document["late"] = 0
            if row.stall is not None:
                calm = STALL_AT + row.stall + AFTER_STALL
                document["late"] = sum(moment > calm for moment in outcome.refused_at)
            # In processor time of the server, which other processes on the machine do not change.
            document["refusal"] = (used / answer - len(outcome.answered)) / max(1, len(outcome.refused))
            document["uncounted"] = counted(ready) - known - outcome.sent
            results.append(document)
            print(f"{row.name}: {document}", file=sys.stderr, flush=True)
    return {"highest": highest, "rows": results}


def measure(model: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """All rounds, as a document, with the medians of each row."""
    results = [one(model) for _ in range(rounds)]
    summary = []
    for number, row in enumerate(rows()):
        of_row = [each["rows"][number] for each in results]
        p99 = statistics.median(each["answered"]["p99"] for each in of_row)
        ratio = statistics.median(each["ratio"] for each in of_row)
        lost, late = (sum(each[name] for each in of_row) for name in ("lost", "late"))
        summary.append(
            {
                "name": row.name,
                "bound": row.bound,
                "ratio": ratio,
                "p99": p99,
                "refused_a_second": statistics.median(each["refused_a_second"] for each in of_row),
                "lost": lost,
                "late": late,
                "met": not lost
                and not late
                and (row.bound is None or ratio >= row.bound)
                and (row.times is None or row.stall is not None or p99 <= P99_SECONDS),
            }
        )
    thrice = next(number for number, row in enumerate(rows()) if row.times == 3)
    return {
        "rounds": results,
        "rows": summary,
        "highest": statistics.median(each["highest"] for each in results),
        "missed": sum(not row["met"] for row in summary),
        "goodput": summary[thrice]["ratio"],
        "p99": summary[thrice]["p99"],
        "lost": sum(row["lost"] for row in summary),
        "late": sum(row["late"] for row in summary),
        "refusal": statistics.median(each["rows"][thrice]["refusal"] for each in results),
    }


def table(document: dict[str, Any]) -> str:
    """A row for each load, with its bound."""
    heads = ("load", "answered, of the highest", "bound", "p99", "refused", "lost", "refused 2 s after a stall", "")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in document["rows"]:
        bound = "" if row["bound"] is None else f"{row['bound']:g}"
        cells = [row["name"], f"{row['ratio']:.2f}", bound, f"{row['p99'] * 1000:.0f} ms"]
        cells += [f"{row['refused_a_second']:,.0f}/s", str(row["lost"]), str(row["late"])]
        lines.append(f"| {' | '.join([*cells, 'met' if row['met'] else 'missed'])} |")
    lines.append(
        f"\nhighest load: {document['highest']:,.0f}/s; a refusal takes {document['refusal']:.2f} of an answer"
    )
    return "\n".join(lines)


def gate(model: Path) -> int:
    """The exit status: 1 if the service answers too little under clients that send again at once, each time.

    A shared machine can slow down one of two measurements. A regression shows each time.
    """
    for _ in range(GATE_TRIES):
        shares = {}
        with _measured(model) as (ready, ask, _, answer):
            for connections in GATE:
                used = processor_seconds(ready.pid)
                outcome = by_clients(ready.address, ask, connections, CLIENT_SECONDS, wait=0.0)
                used = processor_seconds(ready.pid) - used
                shares[connections] = len(outcome.answered) * answer / used
        for connections, share in shares.items():
            bound = GATE[connections]
            print(f"{connections:,} clients that send again at once: {share:.2f} of the highest load, bound {bound:g}")
        if all(shares[connections] >= bound for connections, bound in GATE.items()):
            return 0
        time.sleep(1)
    return 1


if __name__ == "__main__":
    sys.exit(gate(Path(sys.argv[1])))
