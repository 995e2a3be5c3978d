"""Two services behind nginx, and everything at once: load, swaps, restarts, bad input and slow clients."""

import asyncio
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.nginx.pair import Pair, pair
from tests.soak import bad_clients
from tests.soak.answers import Answers
from tests.soak.load import ask_on
from tests.soak.models import NAMES, write_version
from tests.soak.questions import questions
from tests.soak.restarts import restart_on
from tests.soak.swaps import Swaps
from tests.soak.tally import Tally

GOOD, SLOW = 8, 50  # clients of each kind; as many slow ones at either service
VERSIONS = 2
SETTINGS = {"DEMUR_DEFAULT_MODEL": NAMES[0], "DEMUR_LOG_FORMAT": "json", "DEMUR_DRAIN_SECONDS": "1"}


@dataclass(frozen=True, slots=True)
class Chaos:
    """What came of it."""

    tally: Tally
    swaps: Counter[str]
    restarts: Counter[str]

    def table(self) -> str:
        """In Markdown."""
        swaps = ", ".join(f"{count} {what}" for what, count in self.swaps.most_common())
        restarts = ", ".join(f"{count} by {way}" for way, count in self.restarts.most_common())
        return f"{self.tally.table()}\n\nFiles put in place: {swaps}.\nRestarts: {restarts}."


async def run(seconds: float, seed: int) -> Chaos:
    """Go on for so many seconds."""
    asked, answers, tally, restarts = questions(), Answers(), Tally(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="demur-soak-") as place:
        versions = [Path(place) / f"version-{number}" for number in range(VERSIONS)]
        for number, folder in enumerate(versions):
            write_version(folder, number)
            await answers.learn(folder, asked)
        served = Path(place) / "served"
        write_version(served, 0)
        with pair(DEMUR_MODELS=str(served), **SETTINGS) as services:
            until = time.monotonic() + seconds

            def goes_on() -> bool:
                return time.monotonic() < until

            swaps = Swaps(served, versions, random.Random(seed))
            ports = [server.port for server in services.servers]
            async with asyncio.TaskGroup() as clients:
                for i in range(GOOD):
                    clients.create_task(ask_on(services.port, asked, answers, tally, seed + i, goes_on))
                clients.create_task(bad_clients.send_bad_bodies(services.port, NAMES[0], tally, seed, goes_on))
                clients.create_task(bad_clients.send_bad_bytes(ports, tally, seed, goes_on))
                for port in ports * SLOW:
                    clients.create_task(bad_clients.send_slowly(port, tally, goes_on))
                    clients.create_task(bad_clients.read_slowly(port, tally, goes_on))
                clients.create_task(swaps.go_on(goes_on))
                clients.create_task(restart_on(services, swaps, tally, restarts, goes_on))
            _look_at(services, tally)
    return Chaos(tally, swaps.made, restarts)


def _look_at(services: Pair, tally: Tally) -> None:
    tally.errors_in(services.logs())
