"""Divides a data set into the splits `train`, `tune`, `calibration` and `report`."""

from dataclasses import dataclass

import numpy as np

from service.contract.manifest import Data, Split, SplitName
from training.data.dataset import Dataset, Labelled, LabelledData
from training.data.options import Recipe
from training.data.pool import Pool
from training.errors import DataError

TUNE_SIZE = 10_000
CALIBRATION_SIZE = 5_000


@dataclass(frozen=True, slots=True)
class Splits:
    """The splits of a data set. The chapter's recipe has no calibration split."""

    train: Labelled
    tune: Labelled
    calibration: Labelled | None
    report: Labelled
    report_is_held_out: bool

    def describe(self, dataset: LabelledData) -> Data:
        """Describe the splits for the manifest, with their fingerprints."""
        parts: dict[SplitName, Labelled | None] = {
            "train": self.train,
            "tune": self.tune,
            "calibration": self.calibration,
            "report": self.report,
        }
        return Data(
            name=dataset.name,
            fingerprint=dataset.fingerprint,
            splits={
                name: Split(size=len(part), source=part.source, fingerprint=part.fingerprint())
                for name, part in parts.items()
                if part is not None
            },
            report_is_held_out=self.report_is_held_out,
        )


def split(dataset: LabelledData, recipe: Recipe, seed: int) -> Splits:
    """Split by the recipe; the same seed gives the same splits.

    `tuned`: tune is drawn from the training images, and the test images are halved into calibration and report. The
    draws are uniform, not stratified: a certificate assumes exchangeable examples. Calibration comes from the test
    images because the training images are not exchangeable with them: the accuracy is 1.4 points lower on the official
    test images than on held-out training images.

    `chapter`: the test images both validate and report, as in the book, and the manifest says so.

    The user's own data are divided by the rule of their `Pool`, with the tuned recipe only. Raises DataError if that
    leaves a split empty.
    """
    if isinstance(dataset, Pool):
        if recipe == "chapter":
            raise DataError("--recipe chapter applies to Fashion-MNIST only: leave it out with data of your own")
        return Splits(**dataset.parts(seed), report_is_held_out=True)
    if not isinstance(dataset, Dataset):
        raise TypeError(f"cannot split {type(dataset).__name__}")
    if recipe == "chapter":
        return Splits(
            train=dataset.train,
            tune=dataset.test,
            calibration=None,
            report=dataset.test,
            report_is_held_out=False,
        )
    train_order = np.random.default_rng([seed, 0]).permutation(len(dataset.train))
    test_order = np.random.default_rng([seed, 1]).permutation(len(dataset.test))
    return Splits(
        train=dataset.train.take(train_order[TUNE_SIZE:]),
        tune=dataset.train.take(train_order[:TUNE_SIZE]),
        calibration=dataset.test.take(test_order[:CALIBRATION_SIZE]),
        report=dataset.test.take(test_order[CALIBRATION_SIZE:]),
        report_is_held_out=True,
    )


def warnings(dataset: LabelledData, splits: Splits) -> list[str]:
    """What to know of the splits that `split` made."""
    if not isinstance(dataset, Pool) or splits.calibration is None:
        return []
    return dataset.warnings(
        {"train": splits.train, "tune": splits.tune, "calibration": splits.calibration, "report": splits.report}
    )


def sizes(dataset: LabelledData, recipe: Recipe, seed: int) -> dict[SplitName, int]:
    """The sizes of the splits that `split` makes, without reading an input. Raises DataError as `split` does."""
    if isinstance(dataset, Pool):
        return dict(dataset.sizes(seed))
    assert isinstance(dataset, Dataset)
    if recipe == "chapter":
        return {"train": len(dataset.train), "tune": len(dataset.test), "report": len(dataset.test)}
    return {
        "train": len(dataset.train) - TUNE_SIZE,
        "tune": TUNE_SIZE,
        "calibration": CALIBRATION_SIZE,
        "report": len(dataset.test) - CALIBRATION_SIZE,
    }
