"""The capacity of a calibration split, of independent rows and of groups."""

from pathlib import Path

import numpy as np
import pytest

from service.contract.manifest import SplitName
from tests.training.data.made import columns, pool, write
from training.certification.capacity import Capacity, capacity, prospects, shortages
from training.data.dataset import Labelled
from training.data.pool import Pool
from training.data.raw import ALL_SPLITS

ROWS = Capacity.of_rows({"train": 200, "tune": 40, "calibration": 100, "report": 60})


def _part(sizes: list[int]) -> Labelled:
    """Groups of these sizes."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return Labelled("by hand", np.zeros((len(groups), 1), dtype=np.float32), np.zeros_like(groups), groups=groups)


class _Grouped(Pool):
    """A pool whose parts record the group of each row."""

    def parts(self, seed: int) -> dict[SplitName, Labelled]:
        groups, rows = self.split_rule.groups, self.split_rule.rows(seed)
        assert groups is not None
        return {
            name: Labelled(part.source, part.base, part.labels, part.rows, groups[rows[name]])
            for name, part in super().parts(seed).items()
        }


def test_independent_rows_count_individually() -> None:
    assert prospects(ROWS, [0.05, 0.01], 0.95) == [
        "selective_risk 0.05 can be certified: it takes at least 59 of 100 that are answered without an error",
        "selective_risk 0.01 cannot be certified: the calibration split has 100 examples, and it takes at least 299 "
        "that are answered without an error; with these split shares that is about 1,196 labelled examples in all",
    ]
    assert shortages(ROWS, [0.05], 0.95) == []


def test_splits_without_calibration_have_no_shortage() -> None:
    assert shortages(Capacity.of_rows({"train": 200, "tune": 40, "report": 40}), [0.05], 0.95) == []


def test_groups_are_discounted_by_the_largest_in_train() -> None:
    """100 rows in groups of 4 are worth 25: too few for 5 %, which takes 59 * 4 rows."""
    have = Capacity.of_parts({"train": _part([4] * 50), "tune": _part([4] * 10), "calibration": _part([4] * 25)})
    (line,) = shortages(have, [0.05], 0.95)
    assert line == (
        "selective_risk 0.05 cannot be certified: the calibration split counts as 25 independent examples (100 divided "
        "by 4, the size of the largest group in train), and it takes at least 59 that are answered without an error; "
        "with these split shares that is about 803 labelled examples in all"
    )
    assert 803 == -(-59 * 4 * 340 // 100)
    assert prospects(have, [0.2], 0.95) == [
        "the calibration split counts as 25 independent examples (100 divided by 4, the size of the largest group in "
        "train)",
        "selective_risk 0.2 can be certified: it takes at least 14 of 25 that are answered without an error",
    ]


def test_rows_beyond_the_largest_group_in_train_do_not_count() -> None:
    have = Capacity.of_parts({"train": _part([2, 2]), "calibration": _part([2, 1, 9])})
    assert (have.independent, have.largest_group) == (2, 2)


def test_useless_calibration_split_gives_no_total() -> None:
    have = Capacity.of_parts({"train": _part([20]), "calibration": _part([2])})
    (line,) = shortages(have, [0.05], 0.95)
    assert "counts as 0 independent examples (2 divided by 20," in line
    assert line.endswith("it takes at least 59 that are answered without an error")


@pytest.mark.parametrize("grouped", [True, False])
def test_capacity_of_data(tmp_path: Path, grouped: bool) -> None:
    """Patients with four rows each."""
    path = write(tmp_path / "patients.csv", columns(400))
    if grouped:
        data = pool(path, group_column="patient", ignore_columns=("visit",))
        data = _Grouped(**{name: getattr(data, name) for name in Pool.__dataclass_fields__})
    else:
        data = pool(path, ignore_columns=("visit", "patient"))
    have = capacity(data, "tuned", 0)
    assert tuple(have.sizes) == ALL_SPLITS
    assert have.calibration == 100
    assert (have.independent, have.largest_group) == ((25, 4) if grouped else (100, None))
