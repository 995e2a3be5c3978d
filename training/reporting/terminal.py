"""Text for a terminal: tables, and the progress of a fit or a sweep."""

import sys
from collections.abc import Sequence
from typing import TextIO

from tqdm import tqdm

from training.fitting.auto.trials import Trial
from training.fitting.fit import Epoch
from training.fitting.recipes import Augment
from training.fitting.sweep.runs import Run


def table(rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; every row has the same number of cells.

    >>> print(table([("recipe", "tuned"), ("seed", "0")]))
    recipe  tuned
    seed    0
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def in_words(lift: int, augment: Augment, short: bool = False) -> str:
    """The form of a model; `short` where its fit was ended early.

    >>> in_words(64, "shift"), in_words(0, "none")
    ('products of 64 coordinates, moved pictures', 'the features alone')
    """
    form = f"products of {lift} coordinates" if lift else "the features alone"
    return form + (", moved pictures" if augment == "shift" else "") + (", short fit" if short else "")


class Progress:
    """A bar over the epochs with the latest loss and accuracy; on a stream that is no terminal, a line an epoch.

    Settings that were tried before are a line each. `epochs` is None where the number is open.
    """

    def __init__(self, epochs: int | None, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar = tqdm(total=epochs, unit="epoch", file=self._stream, disable=not self._stream.isatty())

    def trying(self, lift: int, augment: Augment) -> None:
        """These settings are being tried: the bar says so until the trial ends."""
        self._bar.set_postfix_str("", refresh=False)
        self._bar.set_description_str(f"trying {in_words(lift, augment)}")

    def trial(self, trial: Trial) -> None:
        """These settings were tried."""
        self._bar.set_description_str("", refresh=False)
        settings = in_words(trial.lift, trial.augment, trial.short)
        self._bar.write(f"tried {settings}: held-out loss {trial.loss:.4f}", file=self._stream)
        self._bar.reset(self._bar.total)

    def epoch(self, epoch: Epoch) -> None:
        """This epoch has ended."""
        train = f"train loss {epoch.train.loss:.4f} accuracy {epoch.train.accuracy:.4f}"
        tune = f"tune loss {epoch.tune.loss:.4f} accuracy {epoch.tune.accuracy:.4f}"
        if self._bar.disable:
            of = "" if self._bar.total is None else f"/{self._bar.total}"
            self._stream.write(f"epoch {epoch.number}{of}: {train}, {tune}\n")
        else:
            self._bar.set_postfix_str(f"{tune}, {train}", refresh=False)  # a narrow terminal cuts off the end
            self._bar.update(epoch.number - self._bar.n)  # more than 1 after a checkpoint

    def close(self) -> None:
        """Leave the last state of the bar on the screen."""
        self._bar.close()


class SweepProgress:
    """A bar over the epochs of all runs; on a stream that is no terminal, a line for each group of runs."""

    def __init__(self, epochs: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar = tqdm(total=epochs, unit="epoch", file=self._stream, disable=not self._stream.isatty())

    def epoch(self, runs: int) -> None:
        """So many runs have finished an epoch."""
        self._bar.update(runs)

    def group(self, runs: list[Run]) -> None:
        """These runs are finished."""
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
