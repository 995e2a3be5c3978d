"""`make accuracy`: the accuracy of each recipe on the official test images, over five seeds.

Prints the table of docs/training.md and writes `build/accuracy.json`. A seed changes the splits, the initial weights
and the order of the examples.
"""

import json
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import torch

from training.data.dataset import Dataset
from training.data.encoders import encoder_for
from training.data.options import Recipe
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate
from training.fitting.fit import evaluate
from training.fitting.recipes import RECIPES
from training.fitting.source import examples
from training.job import Job, run

SEEDS = range(5)
OUT = Path("build/accuracy.json")


@dataclass(frozen=True, slots=True)
class Measured:
    """Per seed, one recipe's accuracy on the 10,000 official test images and on tune, and the seconds of its fit."""

    recipe: Recipe
    accuracies: list[float]
    tune_accuracies: list[float]
    seconds: list[float]

    @property
    def mean(self) -> float:
        """The mean accuracy over the seeds."""
        return statistics.mean(self.accuracies)

    def row(self) -> str:
        """A row of that table."""
        spread = f"{min(self.accuracies):.4f} to {max(self.accuracies):.4f}"
        epochs = "chosen" if self.recipe == "auto" else RECIPES[self.recipe].epochs
        tune, seconds = statistics.mean(self.tune_accuracies), statistics.median(self.seconds)
        return f"| `{self.recipe}` | {epochs} | {self.mean:.4f} | {spread} | {tune:.4f} | {seconds:.1f} s |"


def measure(recipe: Recipe, dataset: Dataset) -> Measured:
    """Run the complete job, proof included, once per seed, on the CPU."""
    test = examples(dataset.test, encoder_for(dataset.input, dataset.train))
    accuracies, tune_accuracies, seconds = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            settings = RECIPES["tuned" if recipe == "auto" else recipe]
            job = Job(recipe, settings, seed, "cpu", Path(folder) / "model.onnx")
            outcome = run(job, dataset)
            accuracies.append(evaluate(outcome.fit.model, test).accuracy)
            tune_accuracies.append(outcome.fit.history[outcome.fit.best_epoch - 1].tune.accuracy)
            seconds.append(outcome.seconds)
    return Measured(recipe, accuracies, tune_accuracies, seconds)


def main() -> None:
    """Measure all recipes, print and write."""
    dataset = fashion_mnist.load(locate(None) or fetch(lambda line: print(line, file=sys.stderr)))
    print(f"mean of {len(SEEDS)} seeds, official test images, {torch.get_num_threads()} threads of one CPU\n")
    print("| recipe | epochs | test accuracy | over the seeds | tune accuracy | fit |\n|---|---|---|---|---|---|")
    measured = []
    for recipe in get_args(Recipe):
        measured.append(measure(recipe, dataset))
        print(measured[-1].row(), flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([{**asdict(m), "mean": m.mean} for m in measured], indent=2) + "\n")


if __name__ == "__main__":
    main()
