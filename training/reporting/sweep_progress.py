"""How far a sweep is, while it runs."""

import sys
from typing import TextIO

from tqdm import tqdm

from training.fitting.sweep.runs import Run


class SweepProgress:
    """A bar over the epochs of all runs; on a stream that is no terminal, a line for each group of runs."""

    def __init__(self, epochs: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar = tqdm(total=epochs, unit="epoch", file=self._stream, disable=not self._stream.isatty())

    def epoch(self, runs: int) -> None:
        """So many runs have had an epoch."""
        self._bar.update(runs)

    def group(self, runs: list[Run]) -> None:
        """These are done."""
        if self._bar.disable:
            first, seconds = runs[0], sum(run.seconds for run in runs)
            settings = first.settings
            self._stream.write(
                f"seed {first.seed}, batch size {settings.batch_size}, {settings.epochs} epochs: {len(runs)} runs "
                f"in {seconds:.1f} s\n"
            )

    def close(self) -> None:
        """Leave the last state of the bar on the screen."""
        self._bar.close()
