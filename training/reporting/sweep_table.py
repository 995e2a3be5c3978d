"""The runs of a sweep as a table for other programs."""

import csv
import dataclasses
import io
from collections.abc import Sequence

from training.fitting.recipes import FitSettings
from training.fitting.sweep.runs import Run
from training.fitting.sweep.together import Diverged

COLUMNS = [
    *[field.name for field in dataclasses.fields(FitSettings)],
    *["seed", "diverged", "epoch", "train_loss", "train_accuracy", "tune_loss", "tune_accuracy", "seconds"],
]


def as_csv(runs: Sequence[Run]) -> str:
    """A row a run. `epoch` is the one that was kept, or in which the run diverged: then it has no loss."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        kept, outcome = run.kept, run.outcome
        qualities = ["", "", "", ""]
        if kept is not None:
            qualities = [repr(q) for part in (kept.train, kept.tune) for q in (part.loss, part.accuracy)]
        settings = ["" if value is None else value for value in dataclasses.astuple(run.settings)]
        epoch = outcome.epoch if isinstance(outcome, Diverged) else outcome.best_epoch
        diverged = str(isinstance(outcome, Diverged)).lower()
        writer.writerow([*settings, run.seed, diverged, epoch, *qualities, f"{run.seconds:.3f}"])
    return stream.getvalue()
