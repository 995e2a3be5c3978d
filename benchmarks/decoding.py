"""The rest of `make bench-data`: pictures from folders, beside Pillow alone on one core.

100,000 PNGs of Fashion-MNIST, grey, 28x28, in a folder for each class, written beforehand and so in the page cache.
Pillow alone is a loop over given paths; our reader also lists the folders. Its processor time includes that of the
processes that it starts: with two free cores its speed-up is at most 2 divided by the ratio of the processor times.
"""

import glob
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.options import DataOptions
from training.data.raw import Findings
from training.data.sources import fashion_mnist
from training.data.sources.decoding import decode_all
from training.data.sources.fetch import fetch, locate
from training.data.sources.image_files import read_folders
from training.data.sources.picture_file import Frame
from training.reporting import hardware

FILES, ROUNDS = 100_000, 3
_FRAME = Frame(28, 28, colour=False, fit=False, convert=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """The cost of one run."""

    seconds: float
    processor: float  # seconds, of this process and of its children

    @classmethod
    def by(cls, run: Callable[[], object]) -> "Taken":
        """Run and measure it."""
        start, used = time.perf_counter(), _processor()
        run()
        return cls(time.perf_counter() - start, _processor() - used)


def write(folder: Path) -> list[str]:
    """Write the pictures, some of them repeatedly; return their paths."""
    dataset = fashion_mnist.load(locate(None) or fetch(lambda line: print(line, file=sys.stderr)))
    images = np.concatenate([dataset.train.inputs, dataset.test.inputs])
    labels = np.concatenate([dataset.train.labels, dataset.test.labels])
    for number in range(len(dataset.classes)):
        (folder / str(number)).mkdir()
    for number in range(FILES):
        which = number % len(images)
        Image.fromarray(images[which]).save(folder / str(labels[which]) / f"{number:06}.png")
    return sorted(glob.glob(os.path.join(folder, "*", "*.png")))


def plain_loop(paths: list[str]) -> None:
    """Pillow alone, on one core."""
    for path in paths:
        np.asarray(Image.open(path))


def main() -> None:
    """Measure in turn, print the minimum of each and the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write(Path(folder))
        ways: dict[str, Callable[[], object]] = {
            "Pillow, one core": lambda: plain_loop(paths),
            "decoding alone": lambda: decode_all(paths, _FRAME),
            "folders and all": lambda: read_folders(DataOptions(Path(folder)), Findings()),
        }
        taken: dict[str, list[Taken]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, run in ways.items():
                taken[name].append(Taken.by(run))
    least = {name: (min(t.seconds for t in each), min(t.processor for t in each)) for name, each in taken.items()}
    seconds, processor = next(iter(least.values()))
    print(f"{FILES:,} PNGs, grey, 28x28, least of {ROUNDS} rounds; {hardware.described()}")
    for name, (wall, used) in least.items():
        print(
            f"  {name:16} {wall:5.1f} s, {FILES / wall:7,.0f} pictures/s, {seconds / wall:4.2f} times as fast; "
            f"{used:5.1f} s of processor, {used / processor:4.2f} times as much"
        )


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
