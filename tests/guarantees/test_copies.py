"""Copies: the promise holds under the right treatment of equal examples, and breaks under the wrong one.

In a table of categories rows repeat naturally, and the population is the distribution of patterns: rows drawn one by
one are independent. Kept together, all rows of a pattern go to one split, and the calibration split is a sample of few
patterns rather than of many rows. Embeddings that repeat are one object recorded several times: counted as many, they
make a calibration split look larger than it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from benchmarks.population import CONFIDENCE_LEVEL
from tests.guarantees.limits import MAX_VIOLATIONS, REPEATS, RESAMPLING_SEED
from tests.guarantees.synthetic import STEEP
from training.certification.fixed_sequence import ThresholdSequence, fixed_sequence
from training.data.opening import open_data
from training.data.options import Copies, DataOptions
from training.data.pool import Pool
from training.errors import DataError

pytestmark = pytest.mark.guarantee

ROWS = 10_000
RISK = 0.05  # of the embeddings
FEW = 300  # repeats that show a promise broken
MOST_OF_FEW = int(binom.ppf(0.999, FEW, 0.05))


@dataclass(frozen=True, slots=True)
class Patterns:
    """K patterns of categories. A row has the label 'no', which the model never answers, with the error rate of k."""

    weights: NDArray[np.float64]  # [K], the population
    confidence: NDArray[np.float64]  # [K]
    error_rates: NDArray[np.float64]  # [K]

    @classmethod
    def drawn(cls, count: int, mean_risk: float) -> "Patterns":
        """Patterns of unequal weight. Errors are rarer at higher confidence, up to some noise."""
        rng = np.random.default_rng([count, 1])
        weights, difficulty = rng.dirichlet(np.ones(count)), rng.random(count)
        rates = difficulty * rng.uniform(0, 2, count)
        return cls(weights, 1 - difficulty / 2, np.minimum(1, rates * mean_risk / (weights @ rates)))

    def risk(self, threshold: float) -> float:
        """The true risk of answering from this confidence on."""
        answered = self.weights * (self.confidence >= threshold)
        return float(answered @ self.error_rates / answered.sum())

    def write(self, path: Path, rng: np.random.Generator) -> None:
        """A table of independently drawn rows."""
        pattern = rng.choice(len(self.weights), ROWS, p=self.weights)
        wrong = rng.random(ROWS) < self.error_rates[pattern]
        label = pa.DictionaryArray.from_arrays(wrong.astype(np.int8), ["yes", "no"])
        pa.parquet.write_table(pa.table({"pattern": pattern.astype(np.int16), "label": label}), path)

    def confidence_of(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """The confidence in each row of such a table."""
        return self.confidence[inputs[:, 0].astype(np.int64)]


# Answering everything would break each promise.
TWENTY_PERCENT = Patterns.drawn(45, mean_risk=0.24), 0.2
TEN_PERCENT = Patterns.drawn(200, mean_risk=0.12), 0.1


@pytest.mark.parametrize(("patterns", "risk"), [TWENTY_PERCENT, TEN_PERCENT], ids=["45 patterns", "200 patterns"])
def test_promise_is_kept_on_a_table_whose_rows_repeat(patterns: Patterns, risk: float, tmp_path: Path) -> None:
    thresholds = list(_on_tables(patterns, risk, None, REPEATS, tmp_path))
    assert _broken(thresholds, patterns.risk, risk) <= MAX_VIOLATIONS
    assert thresholds.count(None) <= 0.05 * REPEATS  # but not by never answering


@pytest.mark.parametrize(("patterns", "risk"), [TWENTY_PERCENT, TEN_PERCENT], ids=["45 patterns", "200 patterns"])
def test_promise_by_a_test_of_rows_breaks_where_copies_stay_together(
    patterns: Patterns, risk: float, tmp_path: Path
) -> None:
    thresholds = list(_on_tables(patterns, risk, "together", FEW, tmp_path))
    assert _broken(thresholds, patterns.risk, risk) > MOST_OF_FEW
    assert thresholds.count(None) > 0.2 * FEW


def test_table_of_fifty_patterns_can_be_divided_for_every_seed(tmp_path: Path) -> None:
    path = tmp_path / "patterns.parquet"
    Patterns.drawn(50, mean_risk=0.2).write(path, np.random.default_rng(0))
    free, together = (open_data(DataOptions(path, copies=copies)).pool for copies in (None, "together"))
    assert free is not None
    assert together is not None
    assert _failures(free) == _failures(together) == 0


def test_promise_is_kept_on_embeddings_that_were_recorded_several_times(tmp_path: Path) -> None:
    thresholds = list(_on_embeddings(None, REPEATS, tmp_path))
    assert _broken(thresholds, STEEP.risk, RISK) <= MAX_VIOLATIONS
    assert thresholds.count(None) <= 0.05 * REPEATS


@pytest.mark.parametrize("copies", ["free", "together"])
def test_promise_by_a_test_of_rows_breaks_where_each_record_counts(copies: Copies, tmp_path: Path) -> None:
    assert _broken(list(_on_embeddings(copies, FEW, tmp_path)), STEEP.risk, RISK) > MOST_OF_FEW


def _broken(thresholds: list[float | None], true_risk: Callable[[float], float], promised: float) -> int:
    return sum(threshold is not None and true_risk(threshold) > promised for threshold in thresholds)


def _on_tables(
    patterns: Patterns, risk: float, copies: Copies | None, repeats: int, folder: Path
) -> Iterator[float | None]:
    """The thresholds certified on tables of these patterns, read, divided and tested by the production code."""
    path = folder / "patterns.parquet"
    for repeat in range(repeats):
        patterns.write(path, np.random.default_rng([RESAMPLING_SEED, repeat]))
        yield _certified(DataOptions(path, copies=copies), repeat, patterns.confidence_of, risk)


def _on_embeddings(copies: Copies | None, repeats: int, folder: Path) -> Iterator[float | None]:
    """The thresholds certified if a tenth of 4,000 objects was recorded ten times."""
    for repeat in range(repeats):
        rng = np.random.default_rng([RESAMPLING_SEED, repeat])
        confidence, wrong = STEEP.draw(rng, 4_000)
        records = rng.permutation(np.repeat(np.arange(4_000), np.where(rng.random(4_000) < 0.1, 10, 1)))
        features = np.stack([confidence, rng.random(4_000)], axis=1).astype(np.float32)
        np.savez(folder / "x.npz", features=features[records], labels=np.where(wrong, "no", "yes")[records])
        yield _certified(DataOptions(folder / "x.npz", copies=copies), repeat, lambda inputs: inputs[:, 0], RISK)


def _certified(
    options: DataOptions, seed: int, confidence: Callable[[NDArray[np.float32]], NDArray[Any]], risk: float
) -> float | None:
    """The threshold of a model that always answers 'yes', with the given confidence; None if not certified."""
    pool = open_data(options).pool
    assert pool is not None
    assert pool.classes == ("no", "yes")
    try:
        parts = pool.parts(seed)
    except DataError:  # a split is empty
        return None
    tune, calibration = (
        (confidence(part.inputs), part.labels == 0, np.ones(len(part), dtype=bool))
        for part in (parts["tune"], parts["calibration"])
    )
    passed = fixed_sequence(ThresholdSequence.from_tune(*tune), *calibration, risk, CONFIDENCE_LEVEL)
    return passed.threshold if passed else None


def _failures(pool: Pool) -> int:
    """The number of seeds of 1,000 for which the data cannot be divided."""
    failed = 0
    for seed in range(1_000):
        try:
            pool.parts(seed)
        except DataError:
            failed += 1
    return failed
