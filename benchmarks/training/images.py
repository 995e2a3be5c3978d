"""Fashion-MNIST for the benchmarks of the fit."""

import sys
from dataclasses import dataclass

import torch

from training.data.dataset import Dataset
from training.data.encoders import encoder_for
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate
from training.data.splits import split
from training.fitting.examples import Examples
from training.fitting.source import examples


@dataclass(frozen=True, slots=True)
class Images:
    """The splits of the tuned recipe, seed 0, and all official test images."""

    dataset: Dataset
    train: Examples
    tune: Examples
    test: Examples

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.dataset.classes)


def load() -> Images:
    """Read the images, and fetch them first if necessary."""
    dataset = fashion_mnist.load(locate(None) or fetch(lambda line: print(line, file=sys.stderr)))
    splits = split(dataset, "tuned", 0)
    encoder = encoder_for(dataset.input, splits.train)
    train, tune, test = (examples(part, encoder) for part in (splits.train, splits.tune, dataset.test))
    assert isinstance(train, Examples)
    assert isinstance(tune, Examples)
    assert isinstance(test, Examples)
    return Images(dataset, train, tune, test)


def plain(part: Examples) -> tuple[torch.Tensor, torch.Tensor]:
    """Features, float32 `[N, 784]`, and labels, as other libraries take them."""
    return part.features, part.labels
