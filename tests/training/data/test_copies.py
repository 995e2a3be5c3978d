"""Copies in each form of data, for each value of `--copies`."""

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.data.made import columns, folders, opened, picture, pool, with_copies, write
from training.data.copies import CopySets
from training.data.opening import OpenedData, class_counts
from training.data.pool import Pool
from training.data.splits import sizes
from training.errors import DataError

LEFT_OUT = {"ignore_columns": ("patient", "visit")}
GROUPED: dict[str, Any] = {"group_column": "patient", "ignore_columns": ("visit",)}
SPLIT = ["train"] * 100 + ["tune"] * 20 + ["calibration"] * 50 + ["report"] * 50


def _with_copies() -> dict[str, Any]:
    """200 rows, and the first 20 repeated at the end, one of them with another label."""
    values = with_copies()
    values["label"][200] = "healthy"
    return values


def _table(folder: Path) -> Path:
    return write(folder / "t.csv", _with_copies())


def _pictures(root: Path) -> Path:
    """40 pictures, and the first 5 repeated, one of them in the other folder."""
    folders(root)
    picture(root / "dog" / "zz0.png", 0)  # 0 is a cat
    for number in range(1, 5):
        picture(root / ("cat", "dog")[number % 2] / f"zz{number}.png", number)
    return root


def _embeddings(path: Path, **columns: Any) -> Path:
    rows = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    labels = np.arange(55) % 2
    np.savez(path, features=np.concatenate([rows, rows[:5]]), labels=labels, **columns)
    return path


def _numbers(data: Pool, seed: int = 0) -> dict[str, list[int]]:
    """The rows of each split, identified by `pressure`: a copy has the number of the row that it repeats."""
    parts = data.parts(seed).items()
    return {name: sorted(np.rint(part.inputs[:, 1] * 7).astype(int).tolist()) for name, part in parts}


def _of(result: OpenedData) -> Pool:
    assert result.findings.errors == []
    assert result.pool is not None
    return result.pool


def test_table_keeps_every_row_and_draws_rows_individually(tmp_path: Path) -> None:
    opened_data = opened(_table(tmp_path), **LEFT_OUT)
    assert opened_data.findings.warnings == [
        "20 rows repeat another, and count as examples of their own. That is right if rows repeat naturally, as "
        "categories do (then give --copies free). If the same thing was recorded twice, give --copies one"
    ]
    data = _of(opened_data)
    assert sizes(data, "tuned", 0) == {"train": 110, "tune": 22, "calibration": 55, "report": 33}
    rows = _numbers(data)
    assert sorted(chain(*rows.values())) == sorted([*range(200), *range(20)])
    apart = [row for row in range(20) if sum(row in part for part in rows.values()) == 2]
    assert len(apart) > 5  # equal rows are no reason to join them
    part = data.parts(0)["calibration"]
    assert part.groups is None
    assert part.source == "the 220 rows of t.csv, drawn at random, each row by itself (20 of them repeat another)"


def test_given_option_gives_no_warning(tmp_path: Path) -> None:
    assert opened(_table(tmp_path), copies="free", **LEFT_OUT).findings.warnings == []


@pytest.mark.parametrize("copies", [None, "free", "one", "together"])
def test_no_warning_where_nothing_repeats(tmp_path: Path, copies: Any) -> None:
    opened_data = opened(write(tmp_path / "t.csv", columns()), copies=copies, **LEFT_OUT)
    part = _of(opened_data).parts(0)["train"]
    assert opened_data.findings.warnings == []
    assert (part.source, part.groups) == ("the 200 rows of t.csv, drawn at random", None)
    assert opened_data.division is not None
    assert opened_data.division.copies is None


@pytest.mark.parametrize("seed", range(5))
def test_first_copy_is_kept(tmp_path: Path, seed: int) -> None:
    opened_data = opened(_table(tmp_path), copies="one", **LEFT_OUT)
    assert opened_data.findings.warnings == [
        "20 rows repeat another and are left out (--copies one): the first in the data is kept",
        "1 of the rows kept has copies with other labels: the label of the first is kept",
    ]
    data = _of(opened_data)
    assert sorted(chain(*_numbers(data, seed).values())) == list(range(200))
    assert sizes(data, "tuned", seed) == {"train": 100, "tune": 20, "calibration": 50, "report": 30}
    ill = {round(row * 7) for part in data.parts(seed).values() for row in part.inputs[part.labels == 1, 1].tolist()}
    assert 0 in ill  # its copy says healthy
    part = data.parts(seed)["report"]
    assert part.groups is None
    assert part.source == "the 200 distinct rows of t.csv (20 copies left out), drawn at random"


def test_fingerprint_does_not_depend_on_the_treatment_of_copies(tmp_path: Path) -> None:
    path = _table(tmp_path)
    assert len({pool(path, copies=copies, **LEFT_OUT).fingerprint for copies in ("free", "one", "together")}) == 1


def test_pictures_are_kept_once(tmp_path: Path) -> None:
    opened_data = opened(_pictures(tmp_path / "pets"))
    assert opened_data.findings.warnings == [
        "5 pictures repeat another and are left out (--copies one): the first in the data is kept",
        "1 of the pictures kept has copies with other labels: the label of the first is kept",
    ]
    parts = _of(opened_data).parts(0)
    assert sum(map(len, parts.values())) == 40
    assert len({image.tobytes() for part in parts.values() for image in part.inputs}) == 40
    assert parts["report"].source == "the 40 distinct pictures of pets (5 copies left out), drawn at random"
    assert class_counts(opened_data) == {"cat": 20, "dog": 20}


@pytest.mark.parametrize("mapped", [False, True])
def test_embeddings_are_kept_once(tmp_path: Path, mapped: bool) -> None:
    path = _embeddings(tmp_path / "x.npz")
    options = {}
    if mapped:
        with np.load(path) as held:
            np.save(tmp_path / "x.npy", held["features"])
            np.save(tmp_path / "y.npy", held["labels"])
        path, options = tmp_path / "x.npy", {"labels": tmp_path / "y.npy"}
    parts = pool(path, **options).parts(0)
    assert sum(map(len, parts.values())) == 50
    assert len({row.tobytes() for part in parts.values() for row in part.inputs}) == 50


@pytest.mark.parametrize("seed", range(5))
def test_copies_together_go_to_one_split_and_are_one_group(tmp_path: Path, seed: int) -> None:
    opened_data = opened(_table(tmp_path), copies="together", **LEFT_OUT)
    assert opened_data.findings.warnings == [
        "40 examples are copies of 20: all copies of one go to the same split",
        "1 of those has copies with different labels",
    ]
    data = _of(opened_data)
    rows = _numbers(data, seed)
    assert sum(map(len, rows.values())) == 220
    assert sum(len(set(part)) for part in rows.values()) == 200  # a row that is in two splits would count twice
    of_group: dict[int, set[int]] = {}
    for part in data.parts(seed).values():
        assert part.groups is not None
        for group, pressure in zip(part.groups.tolist(), part.inputs[:, 1].tolist(), strict=True):
            of_group.setdefault(group, set()).add(round(pressure * 7))
    assert sorted(map(sorted, of_group.values())) == [[row] for row in range(200)]
    assert part.source == "the 220 rows of t.csv, drawn at random so that copies stay together"


def test_copies_across_given_splits(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", _with_copies() | {"split": SPLIT})  # the copies are in report
    given = {"split_column": "split"} | LEFT_OUT
    together, one, free = (opened(path, copies=copies, **given) for copies in ("together", "one", "free"))
    counts = [list(sizes(_of(opened_data), "tuned", 0).values()) for opened_data in (together, one, free)]
    assert counts == [[120, 20, 50, 30], [100, 20, 50, 30], [100, 20, 50, 50]]
    assert "first of their splits, which overrides the given split of the others" in together.findings.warnings[0]
    assert one.findings.warnings[0].endswith("the first in the first split that may have it is kept")
    assert _of(together).parts(0)["report"].source.endswith("; copies are together in the first split that has one")


def test_copy_in_train_is_kept_before_one_in_report(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", _with_copies() | {"split": SPLIT[::-1]})  # the first are in report
    data = pool(path, copies="one", split_column="split", **LEFT_OUT)
    assert sizes(data, "tuned", 0) == {"train": 100, "tune": 20, "calibration": 50, "report": 30}
    train = data.parts(0)["train"]
    assert set(range(20)) <= set(_numbers(data)["train"])
    first = train.labels[np.rint(train.inputs[:, 1] * 7) == 0]
    assert first.tolist() == [0]  # the label of the copy that is kept


def test_copies_across_files_are_left_out_and_counted_per_file(tmp_path: Path) -> None:
    values = columns(300)
    ranges = {"all": slice(0, 200), "cal": slice(190, 260), "rep": slice(260, 300)}  # 190 to 199 are in both
    paths = [write(tmp_path / f"{name}.csv", {k: v[rows] for k, v in values.items()}) for name, rows in ranges.items()]
    data = pool(paths[0], calibration=paths[1], report=paths[2], copies="one", **LEFT_OUT)
    parts = data.parts(0)
    assert _numbers(data)["calibration"] == list(range(200, 260))
    assert len(parts["train"]) + len(parts["tune"]) == 200
    assert parts["train"].source == "the 200 rows of all.csv, drawn at random"
    assert parts["calibration"].source.startswith("the 60 distinct rows of cal.csv (10 copies left out), a file of its")
    assert parts["report"].source.startswith("the 40 rows of rep.csv, a file of its own")


def test_groups_that_share_a_copy(tmp_path: Path) -> None:
    values = _with_copies()
    values["patient"][200:] = [f"q{i // 4}" for i in range(20)]  # other patients with the rows of p0 to p4
    path = write(tmp_path / "t.csv", values)
    free, one, together = (pool(path, copies=copies, **GROUPED) for copies in ("free", "one", "together"))
    counts = {}
    for name, data in {"free": free, "one": one, "together": together}.items():
        parts = data.parts(0).values()
        assert all(part.groups is not None for part in parts)
        counts[name] = [len(set(np.concatenate([part.groups for part in parts]).tolist()))]
        counts[name].append(sum(map(len, parts)))
    assert counts == {"free": [55, 220], "one": [50, 200], "together": [50, 220]}
    assert together.parts(0)["report"].source.endswith("ones of this population; those that share a copy are joined")
    assert free.parts(0)["report"].source.endswith("inputs of new ones of this population")


def test_class_of_copies_only_is_too_small(tmp_path: Path) -> None:
    values = _with_copies()
    values["label"][200:] = "rare"
    opened_data = opened(write(tmp_path / "t.csv", values), copies="one", **LEFT_OUT)
    assert opened_data.findings.errors == [
        "too few examples of a class: 'rare' has 0 (20 copies left out), and each needs 1 (--min-per-class): add "
        "some, or leave such classes out by --drop-rare 1"
    ]
    assert class_counts(opened_data)["rare"] == 0
    assert opened(tmp_path / "t.csv", copies="free", **LEFT_OUT).findings.errors == []


def test_too_few_distinct_examples_cannot_be_divided(tmp_path: Path) -> None:
    rows = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    np.savez(tmp_path / "x.npz", features=rows, labels=np.arange(60) // 20 % 2)
    data = _of(opened(tmp_path / "x.npz", min_per_class=1))
    with pytest.raises(DataError, match=r"there are 3 examples \(57 left out\)"):
        data.parts(0)
    assert sum(map(len, pool(tmp_path / "x.npz", copies="free").parts(0).values())) == 60


def test_groups_are_joined_along_chains_of_copies() -> None:
    copy_sets = CopySets.from_hashes(np.array([1, 2, 2, 3, 4, 5], dtype=np.uint64))
    groups = copy_sets.joined_groups(6, np.array([0, 0, 1, 1, 2, 2]))
    assert groups is not None
    assert groups[0] == groups[1] == groups[2] == groups[3] != groups[4] == groups[5]


def test_copies_are_found_among_random_hashes() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64 - 1, 5000, dtype=np.uint64, endpoint=True)[
        np.random.default_rng(1).integers(0, 5000, 8000)
    ]
    copy_sets = CopySets.from_hashes(hashes)
    values, counts = np.unique(hashes, return_counts=True)
    assert copy_sets.set_count == (counts > 1).sum()
    assert copy_sets.repeat_count == len(hashes) - len(values)
    kept = copy_sets.keep_first(8000, np.zeros(8000, dtype=np.int8))
    assert kept is not None
    assert np.flatnonzero(kept).tolist() == sorted(np.unique(hashes, return_index=True)[1].tolist())
