"""The splits: sizes, disjointness, and dependence on the seed."""

import numpy as np
import pytest

from service.contract.inputs import ImageInput
from training.data.dataset import Dataset, Labelled
from training.data.splits import Splits, split


def _numbered(source: str, count: int, first: int) -> Labelled:
    """Images that each hold their own number, so that splits can be checked."""
    numbers = np.arange(first, first + count)
    images = numbers.astype("<u4").view(np.uint8).reshape(count, 2, 2)
    return Labelled(source, images, numbers % 10)


NUMBERED = Dataset(
    "numbered",
    ImageInput(height=2, width=2),
    tuple("abcdefghij"),
    "0" * 64,
    _numbered("train", 60_000, 0),
    _numbered("test", 10_000, 60_000),
)


def _numbers(part: Labelled) -> list[int]:
    numbers: list[int] = part.inputs.reshape(len(part), 4).view("<u4").ravel().tolist()
    return numbers


def _parts(splits: Splits) -> list[Labelled]:
    assert splits.calibration is not None
    return [splits.train, splits.tune, splits.calibration, splits.report]


def test_tuned_splits_are_disjoint_and_leave_nothing_out() -> None:
    parts = _parts(split(NUMBERED, "tuned", 0))
    assert [len(part) for part in parts] == [50_000, 10_000, 5_000, 5_000]
    numbers = [set(_numbers(part)) for part in parts]
    assert numbers[0] | numbers[1] == set(range(60_000))
    assert numbers[2] | numbers[3] == set(range(60_000, 70_000))
    assert sum(map(len, numbers)) == 70_000


def test_labels_stay_with_their_images() -> None:
    for part in _parts(split(NUMBERED, "tuned", 0)):
        assert [number % 10 for number in _numbers(part)] == part.labels.tolist()


def test_tuned_splits_are_drawn_not_stratified() -> None:
    counts = np.bincount(split(NUMBERED, "tuned", 0).report.labels)
    assert len(set(counts.tolist())) > 1


def test_seed_decides_the_splits() -> None:
    first, again, other = (
        [part.fingerprint() for part in _parts(split(NUMBERED, "tuned", seed))] for seed in (7, 7, 8)
    )
    assert first == again
    assert not set(first) & set(other)


def test_chapter_recipe_uses_the_test_images_and_records_it(dataset: Dataset) -> None:
    splits = split(dataset, "chapter", 0)
    data = splits.describe(dataset)
    assert {name: part.size for name, part in data.splits.items()} == {
        "train": 60_000,
        "tune": 10_000,
        "report": 10_000,
    }
    assert data.splits["tune"] == data.splits["report"]
    assert data.report_is_held_out is False


def test_description_has_sizes_sources_and_fingerprints() -> None:
    splits = split(NUMBERED, "tuned", 0)
    data = splits.describe(NUMBERED)
    assert {name: (part.size, part.source) for name, part in data.splits.items()} == {
        "train": (50_000, "train"),
        "tune": (10_000, "train"),
        "calibration": (5_000, "test"),
        "report": (5_000, "test"),
    }
    assert data.splits["report"].fingerprint == splits.report.fingerprint()
    assert data.report_is_held_out is True


@pytest.mark.parametrize("change", ["image", "label", "order"])
def test_fingerprint_changes_with_the_content(change: str) -> None:
    part = _numbered("x", 10, 0)
    images, labels = part.inputs.copy(), part.labels.copy()
    if change == "image":
        images[3, 0, 0] ^= 1
    elif change == "label":
        labels[3] += 1
    else:
        images, labels = images[::-1], labels[::-1]
    assert Labelled("x", images, labels).fingerprint() != part.fingerprint()
