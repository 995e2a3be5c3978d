"""A million requests to one service: its memory, descriptors and threads must not grow."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import resident
from service.http.server.heap import TRIM_SECONDS
from tests.server import Server, serving
from tests.soak.answers import Answers
from tests.soak.load import ask_on
from tests.soak.models import NAMES, write_version
from tests.soak.questions import questions
from tests.soak.tally import Tally

CLIENTS = 8
MAX_GROWTH = 1.02  # of resident memory, after the first part
SETTLED_SECONDS = TRIM_SECONDS + 1
# The feedback that the service keeps is full before the first look: even the least used model gets 150 in 100,000
# requests.
SETTINGS = {"DEMUR_MAX_FEEDBACK": "100", "DEMUR_DRIFT_WINDOW": "1000"}


@dataclass(frozen=True, slots=True)
class Held:
    """The resources that a process holds."""

    resident_kb: int
    descriptors: int
    threads: int

    @classmethod
    def measure(cls, pid: int) -> "Held":
        """Measure a process now."""
        process = Path("/proc") / str(pid)
        return cls(resident(pid), *(len(list((process / what).iterdir())) for what in ("fd", "task")))


@dataclass(frozen=True, slots=True)
class Steady:
    """The results of a run, with one look at the service after each part of the requests."""

    tally: Tally
    requests: int
    looks: list[Held]

    @property
    def is_steady(self) -> bool:
        """Whether nothing was wrong or lost, and nothing grew between the first look and the last."""
        first, last = self.looks[0], self.looks[-1]
        grown = last.resident_kb > first.resident_kb * MAX_GROWTH
        return (
            self.tally.is_clean
            and not grown
            and last.descriptors <= first.descriptors
            and last.threads <= first.threads
        )

    def table(self) -> str:
        """The resources held after each part, as a Markdown table."""
        lines = ["| requests | resident MB | descriptors | threads |", "|---|---|---|---|"]
        for part, held in enumerate(self.looks, 1):
            sent = self.requests * part // len(self.looks)
            lines.append(f"| {sent:,} | {held.resident_kb / 1024:.1f} | {held.descriptors} | {held.threads} |")
        return "\n".join(lines)


async def run(requests: int, parts: int, settled_seconds: float = SETTLED_SECONDS) -> Steady:
    """Send the requests in equal parts, with a look at the service after each."""
    all_questions, answers, tally = questions(), Answers(), Tally()
    with tempfile.TemporaryDirectory(prefix="demur-soak-") as temporary:
        folder = Path(temporary)
        write_version(folder, 0)
        await answers.learn(folder, all_questions)
        settings = {"DEMUR_MODELS": str(folder), "DEMUR_DEFAULT_MODEL": NAMES[0], **SETTINGS}
        with serving(folder / f"{NAMES[0]}.onnx", **settings) as server:
            looks = []
            for part in range(parts):
                share = _Share(requests // parts)
                clients = (
                    ask_on(server.port, all_questions, answers, tally, part * CLIENTS + i, share.take)
                    for i in range(CLIENTS)
                )
                await asyncio.gather(*clients)
                looks.append(await _look(server, settled_seconds))
            tally.errors_in(server.log())
    return Steady(tally, requests, looks)


class _Share:
    """A number of requests that several clients share."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self) -> bool:
        """Take one request; returns whether one was left."""
        self._left -= 1
        return self._left >= 0


async def _look(server: Server, settled_seconds: float) -> Held:
    """Measure the service once it has closed the last connections and returned free memory."""
    await asyncio.sleep(settled_seconds)
    held, before = Held.measure(server.process.pid), None
    while held != before:
        await asyncio.sleep(0.5)
        held, before = Held.measure(server.process.pid), held
    return held
