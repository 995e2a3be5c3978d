"""`make recipe`: the tuned recipe and its neighbours, by their loss on the tune split.

Each neighbour differs in one setting. A seed changes the splits, the initial weights and the order of the examples;
all variants share the seeds, so the differences between them are paired. The test images are not used.
"""

import dataclasses
import statistics
import sys
from math import sqrt
from typing import Any

import torch

from training.data.dataset import Dataset
from training.data.encoders import encoder_for
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate
from training.data.splits import split
from training.fitting.fit import fit
from training.fitting.recipes import TUNED, FitSettings
from training.fitting.source import examples

SEEDS = range(10)
NEIGHBOURS: dict[str, list[Any]] = {
    "epochs": [20, 30],
    "learning_rate": [0.05, 0.2],
    "momentum": [0.8, 0.95],
    "batch_size": [128, 512],
    "weight_decay": [1e-5, 1e-4],
}


def tune_losses(settings: FitSettings, dataset: Dataset) -> list[float]:
    """The tune loss of the kept epoch, one value per seed."""
    losses = []
    for seed in SEEDS:
        splits = split(dataset, "tuned", seed)
        generator = torch.Generator().manual_seed(seed)
        encoder = encoder_for(dataset.input, splits.train)
        train, tune = examples(splits.train, encoder), examples(splits.tune, encoder)
        fitted = fit(train, tune, len(dataset.classes), settings, generator)
        losses.append(fitted.history[fitted.best_epoch - 1].tune.loss)
    return losses


def main() -> None:
    """Measure and print, the recipe first."""
    dataset = fashion_mnist.load(locate(None) or fetch(lambda line: print(line, file=sys.stderr)))
    print(f"tune loss, mean of {len(SEEDS)} seeds; difference from the recipe, paired, with its standard error\n")
    print("| setting | tune loss | difference |\n|---|---|---|")
    recipe = tune_losses(TUNED, dataset)
    print(f"| the recipe | {statistics.mean(recipe):.4f} | |", flush=True)
    for name, values in NEIGHBOURS.items():
        for value in values:
            losses = tune_losses(dataclasses.replace(TUNED, **{name: value}), dataset)
            gaps = [loss - base for loss, base in zip(losses, recipe, strict=True)]
            error = statistics.stdev(gaps) / sqrt(len(gaps))
            print(
                f"| `{name}` {value:g} | {statistics.mean(losses):.4f} | {statistics.mean(gaps):+.4f} +- {error:.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
