"""`python -m benchmarks.serving.capacity`: capacity for docs/performance.md, from docs/benchmarks/serving.json.

The rate of one core and the gain by a second worker are measured. The rest is arithmetic on these two and on the bytes
of a request, for more cores than were measured; the table says so.
"""

import json
import math
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.rounds import Spread
from benchmarks.serving.table import END, PAGE, STORED

START = "<!-- capacity, from docs/benchmarks/serving.json -->\n"

RATES = (1_000, 100_000, 1_000_000)  # requests/s
LINKS = (10, 25, 100)  # Gbit/s
MACHINE_CORES, MACHINE_LINK = 64, 25  # the machine for which bottlenecks are computed
LOAD = 0.70  # of a core's maximum; above it, requests queue
TWO_WORKERS = 1.53  # the rate on two cores over that on one; the lowest in docs/performance.md
RAW_BYTES = 784  # the same picture as bytes
HEAD_BYTES = 200  # of HTTP, each way, at most
SEGMENT, FRAME_BYTES = 1448, 90  # payload of a TCP segment; overhead of Ethernet, IP and TCP


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured input of the arithmetic."""

    hardware: str
    per_second: float  # requests, of one worker on one core
    request_bytes: int  # of the body
    answer_bytes: int

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Measured":
        """From the stored measurement; the entry of its limit holds the bytes in and out."""
        servers = {server["name"]: server for server in document["servers"]}
        sizes = re.search(r"([\d,]+) bytes in and ([\d,]+) out", servers["limit-demur-json"]["title"])
        if sizes is None:
            raise ValueError("the limit's title does not say how many bytes went in and out")
        taken, given = (int(size.replace(",", "")) for size in sizes.groups())
        return cls(document["hardware"], Spread.of(servers["demur-json"]["requests_per_second"]).median, taken, given)

    @property
    def of_a_core(self) -> float:
        """Planned requests/s for each of many cores."""
        return self.per_second * TWO_WORKERS / 2 * LOAD

    def cores(self, rate: float) -> float:
        """Cores for this many requests/s; a single core has no loss by a second one."""
        alone = rate / (self.per_second * LOAD)
        return alone if alone <= 1 else rate / self.of_a_core


def on_the_wire(body: int) -> int:
    """Bytes of a message on a link, with its head and a frame around each segment.

    >>> on_the_wire(784), on_the_wire(2823)
    (1074, 3293)
    """
    message = body + HEAD_BYTES
    return message + math.ceil(message / SEGMENT) * FRAME_BYTES


def gigabits(rate: float, size: int) -> float:
    """Gbit/s of this many messages of a size."""
    return rate * size * 8 / 1e9


def bottleneck(measured: Measured, rate: float) -> str:
    """The resource of one machine that is exhausted first, and its use."""
    cores = measured.cores(rate)
    if cores <= 1:
        return f"one worker, {_percent(cores)} used: a second for when the first fails"
    used = {
        f"the {MACHINE_CORES} cores": cores / MACHINE_CORES,
        f"the link of {MACHINE_LINK} Gbit/s": gigabits(rate, on_the_wire(measured.request_bytes)) / MACHINE_LINK,
    }
    name = max(used, key=lambda each: used[each])
    machines = math.ceil(used[name])
    return f"{name} of a machine, {_percent(used[name])} used" + (f": {machines} machines" if machines > 1 else "")


def block(document: dict[str, Any]) -> str:
    """The text between the marks."""
    measured = Measured.of(document)
    request, answer, raw = (on_the_wire(size) for size in (measured.request_bytes, measured.answer_bytes, RAW_BYTES))
    links = ", ".join(str(link) for link in LINKS)
    lines = [
        f"| requests/s | cores | Gbit/s in, out | in, of a link of {links} Gbit/s | in, of {RAW_BYTES} bytes "
        "| what is exhausted first |",
        "|---|---|---|---|---|---|",
    ]
    for rate in RATES:
        taken = gigabits(rate, request)
        shares = ", ".join(_percent(taken / link) for link in LINKS)
        lines.append(
            f"| {rate:,} | {math.ceil(measured.cores(rate))} | {_digits(taken)}, {_digits(gigabits(rate, answer))} "
            f"| {shares} | {_digits(gigabits(rate, raw))} | {bottleneck(measured, rate)} |"
        )
    facts = "".join(
        textwrap.fill(f"- {fact}", 120, subsequent_indent="  ", break_on_hyphens=False) + "\n"
        for fact in _facts(measured, document)
    )
    return "\n".join(lines) + "\n\n" + facts


def _facts(measured: Measured, document: dict[str, Any]) -> Iterator[str]:
    """The measurements, the assumptions, and the limits of one core, link and machine."""
    request, answer = on_the_wire(measured.request_bytes), on_the_wire(measured.answer_bytes)
    yield (
        f"**Measured**: {measured.per_second:,.0f} requests/s of one worker on one core, bodies of "
        f"{measured.request_bytes:,} bytes in and {measured.answer_bytes:,} out ({measured.hardware}); two workers on "
        f"two cores get through {TWO_WORKERS} times as many, in the worst of the [runs](#targets-and-results)."
    )
    yield (
        "**Assumed**: every further core adds what the second did, so that each has "
        f"{_percent(TWO_WORKERS / 2)} of the rate of one alone, and cores are {_percent(LOAD)} busy: "
        f"{_digits(measured.of_a_core)} requests/s a core. More than two cores were never measured. A message has "
        f"{HEAD_BYTES} bytes of head, and for each {SEGMENT:,} bytes a frame of {FRAME_BYTES}; connections are kept."
    )
    machine = MACHINE_CORES * measured.of_a_core
    yield (
        f"**One machine** of {MACHINE_CORES} cores is exhausted at {_digits(machine)} requests/s, by its cores; "
        f"that is {_digits(gigabits(machine, request))} Gbit/s in."
    )
    proxy, balancer = (MACHINE_LINK * 1e9 / 8 / size for size in (request + answer, request))
    yield (
        f"**One proxy** that reads HTTP receives every byte and sends it again: with a link of {MACHINE_LINK} "
        f"Gbit/s it is exhausted at {_digits(proxy)} requests/s, if its processor goes so far (not measured). Ray "
        f"Serve, proxy and one replica on two cores, reached {_digits(_ray(document))} (measured)."
    )
    yield (
        "**One load balancer** that forwards packets, and whose answers bypass it, sees the requests alone: "
        f"{_digits(balancer)} requests/s with {MACHINE_LINK} Gbit/s. Beyond that, use several, by DNS or by routes "
        "of equal cost."
    )


def _percent(share: float) -> str:
    """
    >>> _percent(0.0026344), _percent(1.0538)
    ('0.26 %', '105 %')
    """
    return f"{100 * share:.2g} %" if share < 1 else f"{100 * share:.0f} %"


def _digits(number: float) -> str:
    """Rounded to two digits.

    >>> [_digits(number) for number in (505644, 105.4, 26.34, 0.8784)]
    ['510,000', '110', '26', '0.88']
    """
    rounded = float(f"{number:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def _ray(document: dict[str, Any]) -> float:
    (rates,) = (server["requests_per_second"] for server in document["servers"] if server["name"] == "ray")
    return Spread.of(rates).median


def written(page: str, document: dict[str, Any]) -> str:
    """The page with that block. Raises ValueError if it has no place for one."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"performance.md has no {START.strip()} ... {END.strip()}")
    return before + start + block(document) + end + after


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(), json.loads(STORED.read_text())))
