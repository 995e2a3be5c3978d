"""The table of a comparison, and its summary beside the targets."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from benchmarks.models.compare import Figures, Run

HEADER = (
    "| data set | rows | D | classes | log loss | scikit-learn | ratio | accuracy | scikit-learn "
    "| coverage at 5 % | scikit-learn | certified | CPU s | scikit-learn |\n|---|" + "---:|" * 13
)


@dataclass(frozen=True, slots=True)
class Row:
    """The means of a data set over its seeds."""

    runs: tuple[Run, ...]

    def ours(self, figure: Callable[[Figures], float]) -> float:
        """The mean of a figure of our models."""
        return statistics.mean(figure(run.ours) for run in self.runs)

    def theirs(self, figure: Callable[[Figures], float]) -> float:
        """The mean of a figure of scikit-learn's."""
        return statistics.mean(figure(run.theirs) for run in self.runs)

    @property
    def ratio(self) -> float:
        """Our mean log loss over theirs."""
        return self.ours(lambda f: f.log_loss) / self.theirs(lambda f: f.log_loss)

    @property
    def deficit(self) -> float:
        """By how many points their accuracy is higher."""
        return 100 * (self.theirs(lambda f: f.accuracy) - self.ours(lambda f: f.accuracy))

    @property
    def covered_more(self) -> float:
        """By how many points our coverage is higher."""
        return 100 * (self.ours(lambda f: f.coverage) - self.theirs(lambda f: f.coverage))

    def text(self) -> str:
        """One line of the table."""
        first = self.runs[0]
        cells = [first.name, f"{first.rows:,}", f"{first.width:,}", f"{first.classes}"]
        cells += [*self._pair(lambda f: f.log_loss, ".3f"), f"{self.ratio:.2f}"]
        cells += [*self._pair(lambda f: f.accuracy, ".3f"), *self._pair(lambda f: f.coverage, ".3f")]
        cells += [f"{statistics.mean(run.certified for run in self.runs):.3f}"]
        cells += self._pair(lambda f: f.processor, ".2f")
        return f"| {' | '.join(cells)} |"

    def _pair(self, figure: Callable[[Figures], float], form: str) -> list[str]:
        return [format(self.ours(figure), form), format(self.theirs(figure), form)]


def rows(runs: Sequence[Run]) -> list[Row]:
    """A row for each data set, whose runs stand together."""
    return [Row(tuple(each)) for _, each in groupby(runs, lambda run: run.name)]


def summary(rows: Sequence[Row]) -> str:
    """What all data sets together say, with the targets."""
    worst, lowest = max(rows, key=lambda row: row.ratio), max(rows, key=lambda row: row.deficit)

    def times(figure: Callable[[Figures], float]) -> float:
        return sum(row.ours(figure) for row in rows) / sum(row.theirs(figure) for row in rows)

    figures = [
        ("log loss, geometric mean of the ratios", f"{statistics.geometric_mean([r.ratio for r in rows]):.3f}", "1.00"),
        (f"largest ratio, {worst.runs[0].name}", f"{worst.ratio:.3f}", "1.05"),
        (f"largest deficit of accuracy, {lowest.runs[0].name}", f"{lowest.deficit:.2f} points", "0.50"),
        ("mean difference of coverage", f"{statistics.mean(r.covered_more for r in rows):+.2f} points", "0 or more"),
        ("processor time, sum over sum", f"{times(lambda f: f.processor):.2f}", "1"),
        ("wall time, sum over sum", f"{times(lambda f: f.wall):.2f}", "1"),
    ]
    return "\n".join(["| | measured | target |\n|---|---:|---:|", *(f"| {' | '.join(each)} |" for each in figures)])
