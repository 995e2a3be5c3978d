"""Restarts services in turn: by SIGTERM with a drain, and by SIGKILL without one."""

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import Callable

from tests.nginx.pair import Pair
from tests.soak.swaps import Swaps
from tests.soak.tally import Tally

_PAUSE_SECONDS = 5


async def restart_on(
    services: Pair, swaps: Swaps, tally: Tally, counts: Counter[str], should_continue: Callable[[], bool]
) -> None:
    """Restart the two services in turn, with a SIGKILL after every three SIGTERM."""
    ways = itertools.cycle([signal.SIGTERM, signal.SIGTERM, signal.SIGTERM, signal.SIGKILL])
    for slot, way in zip(itertools.cycle([0, 1]), ways, strict=False):
        if not should_continue():
            return
        status, log = await asyncio.to_thread(services.end, slot, way)
        if status != (0 if way == signal.SIGTERM else -signal.SIGKILL):
            tally.note(f"a service ended by {way.name} with {status}: {log[-1:]}")
        counts[f"{way.name}"] += 1
        async with swaps.good:
            await asyncio.to_thread(services.start, slot)
        await asyncio.sleep(_PAUSE_SECONDS)
