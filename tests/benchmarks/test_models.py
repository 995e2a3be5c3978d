"""The comparison with scikit-learn: both models on the same rows, and the table of their figures."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.models import made, peer
from benchmarks.models.__main__ import measure
from benchmarks.models.compare import Figures, Run
from benchmarks.models.data import DATA_SETS
from benchmarks.models.promises import Kept, Promise
from benchmarks.models.promises import table as promises
from benchmarks.models.table import HEADER, rows, summary
from training.data.opening import load
from training.data.splits import split

WINE = next(each for each in DATA_SETS if each.name == "wine")


def test_wine_is_measured_on_calibration_and_report(tmp_path: Path) -> None:
    (run,) = measure(WINE, "tuned", 1)
    dataset = load(WINE.write(tmp_path), None, lambda _: None)
    splits = split(dataset, "tuned", 0)
    assert splits.calibration is not None
    model = make_pipeline(StandardScaler(), LogisticRegression(C=run.c, max_iter=100_000))
    model.fit(splits.train.inputs.astype(float), splits.train.labels)
    inputs = np.concatenate([splits.calibration.inputs, splits.report.inputs]).astype(float)
    labels = np.concatenate([splits.calibration.labels, splits.report.labels])
    assert run.theirs.log_loss == pytest.approx(log_loss(labels, model.predict_proba(inputs)), rel=1e-3)
    assert run.theirs.accuracy == pytest.approx(model.score(inputs, labels))
    assert (run.rows, run.width, run.classes) == (178, 13, 3)
    assert run.ours.accuracy >= 0.9
    assert run.ours.log_loss < 0.3
    assert run.ours.coverage >= run.ours.accuracy  # at 5 % risk
    assert min(run.ours.wall, run.ours.processor, run.theirs.wall, run.theirs.processor) > 0


def test_best_c_has_the_lowest_loss_on_tune(tmp_path: Path) -> None:
    dataset = load(WINE.write(tmp_path), None, lambda _: None)
    splits = split(dataset, "tuned", 1)
    found = peer.search(splits.train, splits.tune, dataset.input, 3)
    ours = log_loss(splits.tune.labels, found.probabilities(splits.tune))
    for c in peer.GRID:
        other = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=100_000))
        other.fit(splits.train.inputs.astype(float), splits.train.labels)
        assert ours <= log_loss(splits.tune.labels, other.predict_proba(splits.tune.inputs.astype(float))) + 1e-6


def _run(name: str, seed: int, ours: Figures, theirs: Figures) -> Run:
    return Run(name, seed, 1500, 64, 10, ours, theirs, c=1.0, certified=0.25 * seed)


def test_table_has_the_means_and_the_summary_their_extremes() -> None:
    runs = [
        _run("a", 0, Figures(0.3, 0.90, 0.8, 1, 2), Figures(0.2, 0.92, 0.9, 2, 4)),
        _run("a", 1, Figures(0.1, 0.94, 1.0, 3, 4), Figures(0.2, 0.94, 1.0, 2, 4)),
        _run("b", 0, Figures(0.1, 0.50, 0.5, 1, 1), Figures(0.4, 0.40, 0.4, 1, 1)),
    ]
    table = rows(runs)
    assert table[0].text() == (
        "| a | 1,500 | 64 | 10 | 0.200 | 0.200 | 1.00 | 0.920 | 0.930 | 0.900 | 0.950 | 0.125 | 3.00 | 4.00 |"
    )
    assert [len({line.count("|") for line in [*HEADER.splitlines(), row.text()]}) for row in table] == [1, 1]
    assert summary(table).splitlines()[2:] == [
        "| log loss, geometric mean of the ratios | 0.500 | 1.00 |",
        "| largest ratio, a | 1.000 | 1.05 |",
        "| largest deficit of accuracy, a | 1.00 points | 0.50 |",
        "| mean difference of coverage | +2.50 points | 0 or more |",
        "| processor time, sum over sum | 0.80 | 1 |",
        "| wall time, sum over sum | 1.00 | 1 |",
    ]


def test_promises_have_means_and_the_worst_seed() -> None:
    models = [Kept(0, 0.84, [Promise(0.05, 0.7, 0.02)]), Kept(1, 0.86, [Promise(0.05, 0.6, 0.04)])]
    assert promises(models).splitlines()[-1] == "| 0.05 | 0.650 | 0.030 | 0.040 |"


def test_made_data_repeat_and_can_be_learnt() -> None:
    first, again = (made.embeddings(200, 48, 3, seed=1) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert np.allclose(np.linalg.norm(first[0], axis=1), 1)
    inputs, labels = made.genes(300, 400, 3, seed=0)
    scaled = StandardScaler().fit_transform(inputs)
    model = LogisticRegression(max_iter=1000).fit(scaled[:200], labels[:200])
    assert 0.6 < model.score(scaled[200:], labels[200:]) <= 1
