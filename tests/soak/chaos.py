"""Two services behind nginx, and everything at once: load, swaps, restarts, bad input and slow clients."""

import asyncio
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.nginx.pair import pair
from tests.soak import bad_clients
from tests.soak.answers import Answers
from tests.soak.load import ask_on
from tests.soak.models import NAMES, write_version
from tests.soak.questions import questions
from tests.soak.restarts import restart_on
from tests.soak.swaps import Swaps
from tests.soak.tally import Tally

# Clients: good ones, and for each service those that send slowly and those that do not read their answers.
GOOD, SENDERS, READERS = 8, 100, 10
VERSIONS = 2
SETTINGS = {
    "DEMUR_DEFAULT_MODEL": NAMES[0],
    "DEMUR_LOG_FORMAT": "json",
    "DEMUR_DRAIN_SECONDS": "1",
    "DEMUR_REQUEST_SECONDS": "5",
}


# The words by which the log reports each outcome.
_RELOADS = {"swapped": "now serving", "refused": "still serving"}


@dataclass(frozen=True, slots=True)
class Chaos:
    """The results of a run."""

    tally: Tally
    files: Counter[str]  # put in the place of a model's file
    reloads: Counter[str]  # of both services
    restarts: Counter[str]

    def table(self) -> str:
        """The results in Markdown."""
        parts = {"files put in place": self.files, "by the services": self.reloads, "restarts": self.restarts}
        lines = [
            f"{name}: {', '.join(f'{n} {what}' for what, n in counts.most_common())}" for name, counts in parts.items()
        ]
        return "\n".join([self.tally.table(), "", *lines])

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong or lost, and every kind of reload and restart has happened."""
        happened = [*self.reloads.values(), *self.restarts.values()]
        return self.tally.is_clean and len(happened) == 4 and all(happened)


async def run(seconds: float, seed: int) -> Chaos:
    """Run all clients and disturbances for so many seconds."""
    all_questions, answers, tally, restarts = questions(), Answers(), Tally(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="demur-soak-") as temporary:
        versions = [Path(temporary) / f"version-{number}" for number in range(VERSIONS)]
        for number, folder in enumerate(versions):
            write_version(folder, number)
            await answers.learn(folder, all_questions)
        served = Path(temporary) / "served"
        write_version(served, 0)
        with pair(DEMUR_MODELS=str(served), **SETTINGS) as services:
            until = time.monotonic() + seconds

            def should_continue() -> bool:
                return time.monotonic() < until

            swaps = Swaps(served, versions, random.Random(seed))
            ports = [server.port for server in services.servers]
            async with asyncio.TaskGroup() as clients:
                for i in range(GOOD):
                    clients.create_task(ask_on(services.port, all_questions, answers, tally, seed + i, should_continue))
                clients.create_task(bad_clients.send_bad_bodies(services.port, NAMES[0], tally, seed, should_continue))
                clients.create_task(bad_clients.send_bad_bytes(ports, tally, seed, should_continue))
                for port in ports * SENDERS:
                    clients.create_task(bad_clients.send_slowly(port, tally, should_continue))
                for port in ports * READERS:
                    clients.create_task(bad_clients.read_slowly(port, tally, should_continue))
                clients.create_task(swaps.run(should_continue))
                clients.create_task(restart_on(services, swaps, tally, restarts, should_continue))
            log = services.logs()
            reloads = Counter({what: sum(words in line for line in log) for what, words in _RELOADS.items()})
            tally.errors_in([line for line in log if _RELOADS["refused"] not in line])
    return Chaos(tally, swaps.counts, reloads, restarts)
