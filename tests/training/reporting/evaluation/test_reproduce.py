"""A model is measured on its own splits or not at all."""

import dataclasses
from pathlib import Path

import pytest

from service.contract.manifest import Manifest
from service.inference.classifier import Classifier
from tests import tiny
from training.data.dataset import Dataset
from training.errors import TrainingError
from training.reporting.evaluation.reproduce import reproduce


@pytest.fixture(scope="module")
def manifest(trained_model: Path) -> Manifest:
    return Classifier.load(trained_model).manifest


def _with_data(manifest: Manifest, **update: object) -> Manifest:
    return manifest.model_copy(update={"data": manifest.data.model_copy(update=update)})


def test_rebuilt_splits_match_the_manifest(manifest: Manifest, dataset: Dataset) -> None:
    assert reproduce(manifest, dataset).describe(dataset) == manifest.data


def test_other_data_are_named(dataset: Dataset) -> None:
    with pytest.raises(TrainingError, match=r"trained on the data tiny of fingerprint 000000000000, and these are fas"):
        reproduce(tiny.manifest(), dataset)


def test_other_labels_are_named(manifest: Manifest, dataset: Dataset) -> None:
    renamed = dataclasses.replace(dataset, classes=("Tee", *dataset.classes[1:]))
    with pytest.raises(TrainingError, match=r"the model's labels are T-shirt/top, .*, and those of the data Tee, "):
        reproduce(manifest, renamed)


def test_differing_split_is_named(manifest: Manifest, dataset: Dataset) -> None:
    splits = dict(manifest.data.splits)
    splits["report"] = splits["report"].model_copy(update={"fingerprint": "f" * 64})
    with pytest.raises(TrainingError, match=r"other splits than in the model's training: report differ"):
        reproduce(_with_data(manifest, splits=splits), dataset)


def test_another_seed_gives_other_splits(manifest: Manifest, dataset: Dataset) -> None:
    reseeded = manifest.model_copy(update={"training": manifest.training.model_copy(update={"seed": 1})})
    with pytest.raises(TrainingError, match=r"train, tune, calibration, report differ"):
        reproduce(reseeded, dataset)
