"""Replaces served models by other versions, and by invalid files."""

import asyncio
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.soak.models import NAMES, SPOILT

# About as long as a service takes to check its files, and as both services take to refuse one.
_GOOD_SECONDS = 0.7
_BAD_SECONDS = 2.5


class Swaps:
    """Replaces the files of a served folder by those of several versions, one name at a time."""

    def __init__(self, served: Path, versions: Sequence[Path], draw: random.Random) -> None:
        self.counts: Counter[str] = Counter()  # by the kind of file put in place
        self.good = asyncio.Lock()  # held while a service starts, which needs good files
        self._served = served
        self._versions = versions
        self._draw = draw

    async def run(self, should_continue: Callable[[], bool]) -> None:
        """Put two good files in place, then a bad one and a good one again, and repeat."""
        while should_continue():
            for _ in range(2):
                self._put(self._draw.choice(NAMES), "good")
                await asyncio.sleep(_GOOD_SECONDS)
            async with self.good:
                name = self._draw.choice(NAMES)
                self._put(name, self._draw.choice(list(SPOILT)))
                await asyncio.sleep(_BAD_SECONDS)
                self._put(name, "good")

    def _put(self, name: str, what: str) -> None:
        """Write a file beside its place and rename it, as the training job does."""
        good = self._draw.choice(self._versions) / f"{name}.onnx"
        beside = self._served / f".{name}.new"
        if what == "good":
            shutil.copyfile(good, beside)
        else:
            SPOILT[what](good, beside)
        os.replace(beside, self._served / f"{name}.onnx")
        self.counts[what] += 1
