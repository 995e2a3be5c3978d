"""Shared fixtures: the trained model's scores of images that it was not trained on."""

from pathlib import Path

import pytest

from benchmarks.population import HeldOut, Population
from training.data.dataset import Dataset


@pytest.fixture(scope="session")
def held_out(trained_model: Path, dataset: Dataset) -> HeldOut:
    """The file's scores of tune and of all official test images."""
    return HeldOut.of(trained_model, dataset)


@pytest.fixture(scope="session")
def pool(held_out: HeldOut) -> Population:
    """The official test images: the population that the certificates are about."""
    return Population.behind(held_out.gate, held_out.test)


@pytest.fixture(scope="session")
def tune(held_out: HeldOut) -> Population:
    """The split that fixes the sequence."""
    return Population.behind(held_out.gate, held_out.tune)
