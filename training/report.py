"""What a person reads about a fit: progress, the table at the end, `metrics.json` and the curves."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from tqdm import tqdm

from service.manifest import Manifest
from training.errors import TrainingError
from training.fit import Epoch

# Okabe and Ito's palette, told apart by the colour-blind as well; and different lines, for print.
_BLUE, _VERMILION, _GREY = "#0072B2", "#D55E00", "#999999"


class Progress:
    """A bar over the epochs with the latest loss and accuracy; on a stream that is no terminal, a line an epoch."""

    def __init__(self, epochs: int, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._bar = tqdm(total=epochs, unit="epoch", file=stream, disable=not stream.isatty())

    def __call__(self, epoch: Epoch) -> None:
        text = (
            f"train loss {epoch.train.loss:.4f} accuracy {epoch.train.accuracy:.4f}, "
            f"tune loss {epoch.tune.loss:.4f} accuracy {epoch.tune.accuracy:.4f}"
        )
        if self._bar.disable:
            self._stream.write(f"epoch {epoch.number}/{self._bar.total}: {text}\n")
        else:
            self._bar.set_postfix_str(text)
            self._bar.update()

    def close(self) -> None:
        """Leave the last state of the bar on the screen."""
        self._bar.close()


def table(rows: list[tuple[str, str]]) -> str:
    """Two aligned columns.

    >>> print(table([("recipe", "tuned"), ("seed", "0")]))
    recipe  tuned
    seed    0
    """
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {text}" for name, text in rows)


def write(folder: Path, manifest: Manifest, version: str, history: list[Epoch], seconds: float) -> None:
    """Write `metrics.json` and `curves.png` into `folder`. Raises TrainingError where that cannot be done."""
    metrics = {
        "model": {"name": manifest.name, "version": version},
        "fit_seconds": round(seconds, 3),
        **manifest.model_dump(mode="json", include={"metrics", "training", "data", "versions"}),
        "history": [asdict(epoch) for epoch in history],
    }
    curves = draw_curves(history, manifest.training.best_epoch, manifest.data.report_is_held_out)
    try:
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
        curves.savefig(folder / "curves.png", dpi=150)
    except OSError as error:
        raise TrainingError(f"version {version} is published, but its report is not: {error}") from None


def draw_curves(history: list[Epoch], best_epoch: int, tune_is_held_out: bool) -> Figure:
    """Loss and accuracy over the epochs, side by side."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    tune = "tune (held out of training)" if tune_is_held_out else "tune (the official test images)"
    numbers = [epoch.number for epoch in history]
    _draw(loss, numbers, [e.train.loss for e in history], [e.tune.loss for e in history], tune)
    _draw(accuracy, numbers, [e.train.accuracy for e in history], [e.tune.accuracy for e in history], tune)
    loss.set_ylabel("cross-entropy (nats)")
    accuracy.set_ylabel("accuracy (share of right labels)")
    for axes in (loss, accuracy):
        axes.axvline(best_epoch, color=_GREY, linewidth=1, label=f"kept: epoch {best_epoch}")
        axes.legend(frameon=False)
    return figure


def _draw(axes: Axes, numbers: list[int], train: list[float], tune: list[float], tune_label: str) -> None:
    axes.plot(numbers, train, color=_BLUE, linestyle="-", label="train (mean over the epoch)")
    axes.plot(numbers, tune, color=_VERMILION, linestyle="--", label=tune_label)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
