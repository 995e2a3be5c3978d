"""The split rule: groups stay together, splits follow the order of time, and a seed always gives the same splits."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.data.made import columns, opened, pool, write
from training.data.pool import Pool, PopulationWording
from training.data.raw import ALL_SPLITS
from training.data.split_rule import SplitRule
from training.data.splits import sizes, split
from training.errors import DataError

ONE = (ALL_SPLITS,)
SHARES = (0.5, 0.1, 0.25, 0.15)
LEFT_OUT = {"ignore_columns": ("patient", "visit")}


def _parts(data: Pool, seed: int = 0) -> dict[str, list[float]]:
    """The values of `pressure` in each split, which identify the rows."""
    return {name: part.inputs[:, 1].tolist() for name, part in data.parts(seed).items()}


def _rows(data: Pool, seed: int = 0) -> dict[str, set[int]]:
    return {name: {round(value * 7) for value in values} for name, values in _parts(data, seed).items()}


def test_draw_leaves_nothing_out_and_depends_on_the_seed(tmp_path: Path) -> None:
    data = pool(write(tmp_path / "t.csv", columns()), **LEFT_OUT)
    rows = _rows(data)
    assert set().union(*rows.values()) == set(range(200))
    assert sum(map(len, rows.values())) == 200
    assert _parts(data) == _parts(data)
    assert _parts(data) != _parts(data, seed=1)
    assert sizes(data, "tuned", 0) == {name: len(part) for name, part in rows.items()}


def test_large_splits_stop_at_the_cap_and_begin_with_a_draw() -> None:
    split_rule = SplitRule(SHARES, np.zeros(10**6, dtype=np.int8), ONE)
    rows = split_rule.rows(0)
    assert {name: len(taken) for name, taken in rows.items()} == {
        "train": 850_000,
        "tune": 50_000,
        "calibration": 50_000,
        "report": 50_000,
    }
    head, rest = rows["train"][:50_000], rows["train"][50_000:]
    assert abs(head.mean() / 10**6 - 0.5) < 0.01
    assert (np.diff(rest) > 0).all()  # one pass over it reads the file from front to back
    assert len(np.unique(rows["train"])) == 850_000


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole(tmp_path: Path, seed: int) -> None:
    data = pool(write(tmp_path / "t.csv", columns()), group_column="patient", ignore_columns=("visit",))
    rows = _rows(data, seed)
    patients = {name: {row // 4 for row in taken} for name, taken in rows.items()}
    assert sum(map(len, patients.values())) == 50
    assert sum(map(len, rows.values())) == 200
    assert data.parts(seed)["calibration"].source == (
        "the 200 rows of t.csv, drawn by patient so that each is in one split only: the promise is about inputs of "
        "new ones of this population"
    )


def test_every_split_has_groups_that_agree(tmp_path: Path) -> None:
    data = pool(write(tmp_path / "t.csv", columns()), group_column="patient", ignore_columns=("visit",))
    of_patient: dict[int, set[int]] = {}
    for part in data.parts(0).values():
        assert part.groups is not None
        for group, pressure in zip(part.groups.tolist(), part.inputs[:, 1].tolist(), strict=True):
            of_patient.setdefault(group, set()).add(round(pressure * 7) // 4)
    assert sorted(map(sorted, of_patient.values())) == [[patient] for patient in range(50)]


def test_rows_drawn_one_by_one_have_no_groups(tmp_path: Path) -> None:
    parts = pool(write(tmp_path / "t.csv", columns()), **LEFT_OUT).parts(0)
    assert [part.groups for part in parts.values()] == [None] * 4


def test_examples_left_out_are_in_no_split_and_the_shares_are_of_the_rest() -> None:
    kept = np.arange(1000) % 5 > 0
    rows = SplitRule(SHARES, np.zeros(1000, dtype=np.int8), ONE, kept=kept).rows(0)
    assert [len(taken) for taken in rows.values()] == [400, 80, 200, 120]
    assert sorted(np.concatenate(list(rows.values()))) == np.flatnonzero(kept).tolist()


def test_examples_left_out_stay_out_when_their_group_is_drawn() -> None:
    kept, groups = np.arange(1000) % 5 > 0, np.arange(1000) // 10
    rows = SplitRule(SHARES, np.zeros(1000, dtype=np.int8), ONE, groups, kept=kept).rows(0)
    assert sorted(np.concatenate(list(rows.values()))) == np.flatnonzero(kept).tolist()
    assert sum(len(np.unique(groups[taken])) for taken in rows.values()) == 100


def test_time_puts_the_oldest_into_train_and_the_newest_into_report(tmp_path: Path) -> None:
    data = pool(write(tmp_path / "t.csv", columns()), time_column="visit", ignore_columns=("patient",))
    rows = _rows(data)  # later rows have earlier visits
    assert rows["train"] == set(range(100, 200))
    assert rows["tune"] == set(range(80, 100))
    assert rows["calibration"] == set(range(30, 80))
    assert rows["report"] == set(range(30))
    assert data.parts(0)["calibration"].source == (
        "the 200 rows of t.csv, those of visit from 2024-04-30 to 2024-06-18, the splits following one another in "
        "time: the promise assumes that later inputs are exchangeable with these"
    )


def test_rows_of_the_same_time_stay_together() -> None:
    times = np.repeat(np.arange(20), 50)
    assignment = SplitRule(SHARES, np.zeros(1000, dtype=np.int8), ONE, times=times).assign(0)
    assert (np.diff(assignment) >= 0).all()
    assert all(len(set(assignment[times == time])) == 1 for time in range(20))


def test_split_column(tmp_path: Path) -> None:
    names = ["train"] * 100 + ["tune"] * 20 + ["calibration"] * 50 + ["report"] * 30
    path = write(tmp_path / "t.parquet", columns() | {"split": names})
    data = pool(path, split_column="split", **LEFT_OUT)
    assert _rows(data)["calibration"] == set(range(120, 170))
    assert "those whose column split says calibration" in data.parts(0)["calibration"].source
    for change, message in {
        "val": "the split column 'split' holds 'val': its values must be train, tune, calibration, report",
        "tune": "the split column 'split' gives no row to report: each split needs some",
    }.items():
        wrong = [change if name == "report" else name for name in names]
        write(tmp_path / "wrong.parquet", columns() | {"split": wrong})
        assert opened(tmp_path / "wrong.parquet", split_column="split", **LEFT_OUT).findings.errors == [message]


def test_separate_files(tmp_path: Path) -> None:
    values = columns(300)
    paths = [
        write(tmp_path / f"{name}.csv", {key: column[rows] for key, column in values.items()})
        for name, rows in {"all": slice(0, 200), "cal": slice(200, 260), "rep": slice(260, 300)}.items()
    ]
    data = pool(paths[0], calibration=paths[1], report=paths[2], **LEFT_OUT)
    rows = _rows(data)
    assert rows["calibration"] == set(range(200, 260))
    assert rows["report"] == set(range(260, 300))
    assert len(rows["tune"]) == 33  # 0.1 of 0.6
    assert data.parts(0)["calibration"].source.startswith("the 60 rows of cal.csv, a file of its own")
    assert data.parts(0)["train"].source == "the 200 rows of all.csv, drawn at random"


def test_data_that_cannot_be_divided(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", columns() | {"site": ["a", "b"] * 100})
    with pytest.raises(DataError, match=r"no example is left for .*: there are 200 examples in 2 groups"):
        pool(path, group_column="site", **LEFT_OUT).parts(0)
    with pytest.raises(DataError, match="--group-column and --time-column cannot be combined"):
        opened(path, group_column="patient", time_column="visit")
    with pytest.raises(DataError, match="column 'patient' holds no times"):
        opened(path, time_column="patient", ignore_columns=("visit",))
    with pytest.raises(DataError, match="--recipe chapter applies to Fashion-MNIST only"):
        split(pool(path, **LEFT_OUT), "chapter", 0)


def test_population_with_notes() -> None:
    assert PopulationWording("the 9 rows of x", "drawn", notes=("a", "b")).population("train", None) == (
        "the 9 rows of x, drawn at random (a; b)"
    )
