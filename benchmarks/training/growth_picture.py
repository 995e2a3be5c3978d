"""The picture of `make bench-growth`: time and memory against the growing number, on logarithmic axes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

_TIMES = ("epoch, ms", "components, ms", "request, ms", "256 scores, ms")
_SIZES = ("fit, MB", "file, MB")


def draw(points: Mapping[str, Sequence[Any]], path: Path) -> None:
    """Draw a column for each growing number: times above, memory below. The benchmark writes `points`."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    rows = figure.subplots(2, len(points), squeeze=False)
    for place, (grows, results) in enumerate(points.items()):
        across = [point[place] for point, _ in results]
        for axes, names in zip(rows[:, place], (_TIMES, _SIZES), strict=True):
            for name in names:
                axes.plot(across, [values[name] for _, values in results], marker="o", label=name)
            axes.set(xscale="log", yscale="log", xlabel=grows)
            axes.grid(alpha=0.3)
    for axes in rows[:, 0]:
        axes.legend()
    figure.savefig(path, dpi=120)
