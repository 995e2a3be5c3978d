"""Bootstrap: percentile intervals of a measurement over resamples of the split."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.reporting.evaluation.risk_coverage import measure, tie_groups

RESAMPLES = 1000
LEVEL = 0.95
_BATCH = 50  # resamples at a time: 50 x 5,000 counts fit into the processor's cache

Statistics = Callable[[NDArray[np.int64]], dict[str, NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value and its interval over the resamples."""

    value: float
    low: float
    high: float


def intervals(
    statistics: Statistics, size: int, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> dict[str, Estimate]:
    """The percentile interval of each statistic of a split of `size` examples (Efron 1979, Ann. Statist. 7(1)).

    A resample draws N of the N examples, with replacement. `statistics` gets how often each example was drawn, int64
    `[B, N]`, and returns one value for each row. The value itself is that of the split, each example once.

    >>> data = np.array([0.0, 0.0, 1.0, 1.0])
    >>> intervals(lambda drawn: {"mean": drawn @ data / 4}, 4)
    {'mean': Estimate(value=0.5, low=0.0, high=1.0)}
    """
    rng = np.random.default_rng(seed)
    batches = [statistics(_draw(rng, min(_BATCH, resamples - start), size)) for start in range(0, resamples, _BATCH)]
    values = statistics(np.ones((1, size), dtype=np.int64))
    edges = (1 - level) / 2, (1 + level) / 2
    return {
        name: Estimate(float(value[0]), *np.quantile(np.concatenate([b[name] for b in batches]), edges).tolist())
        for name, value in values.items()
    }


def risk_coverage(
    confidence: NDArray[np.floating],
    wrong: NDArray[np.bool_],
    groups: NDArray[np.int64] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Every risk-coverage metric of N examples, with its interval; `confidence`, `wrong` and `groups` are `[N]`.

    Where there are `groups`, such as the rows of one patient, whole groups are drawn.
    """
    order, ends = tie_groups(confidence)
    mistakes = wrong[order].astype(np.int64)
    # Sorted once: a draw that treats all examples alike does not depend on their order.
    group = np.arange(len(order)) if groups is None else np.unique(groups[order], return_inverse=True)[1]

    def statistics(drawn: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        often = drawn if groups is None else drawn[:, group]
        answered, errors = np.cumsum(often, axis=1), np.cumsum(often * mistakes, axis=1)
        return measure(answered[:, ends], errors[:, ends])

    return intervals(statistics, int(group.max(initial=-1)) + 1, resamples=resamples, seed=seed)


def _draw(rng: np.random.Generator, resamples: int, size: int) -> NDArray[np.int64]:
    """How often each of `size` examples comes up in `size` draws, `[resamples, size]`: multinomial counts."""
    drawn = rng.integers(size, size=(resamples, size)) + size * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * size).reshape(resamples, size).astype(np.int64)
