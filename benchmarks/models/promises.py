"""The second part of `make bench-models`: accuracy and certified coverage of a recipe on Fashion-MNIST.

A model is fitted for each seed. Its scores of the 10,000 official test images, which are calibration and report
together, are the population: 1,000 calibration splits are drawn from it, and the threshold that each certifies is
measured on all of it. A violation is a split whose threshold has a higher risk than its target.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from benchmarks.models.compare import job
from benchmarks.population import CALIBRATION_SIZE, RESAMPLES, Population, resamples
from service.contract.option_values import positive_int
from training.certification.scored import score
from training.data.dataset import Dataset
from training.data.options import Recipe
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate
from training.job import run
from training.reporting import hardware

RISKS = (0.01, 0.03, 0.05, 0.1)
_DRAWS = 0  # the seed of the calibration splits


@dataclass(frozen=True, slots=True)
class Promise:
    """What the calibration splits of one model certify at one risk."""

    risk: float
    coverage: float  # mean over the splits; 0 for a split without a threshold
    violations: float  # share of the splits


@dataclass(frozen=True, slots=True)
class Kept:
    """A model of one seed."""

    seed: int
    accuracy: float  # on all official test images
    promises: list[Promise]


def measure(dataset: Dataset, recipe: Recipe, seed: int, repeats: int = RESAMPLES) -> Kept:
    """Fit, and certify on `repeats` calibration splits."""
    with tempfile.TemporaryDirectory() as folder:
        result = run(job(dataset, recipe, seed, Path(folder) / "model.onnx"), dataset)
    abstention = result.manifest.abstention
    assert abstention is not None, f"recipe {recipe} certifies nothing"
    gate = abstention.out_of_distribution.threshold
    tune, test = (score(result.classifier, part) for part in (result.splits.tune, dataset.test))
    pool, sequence = Population.behind(gate, test), Population.behind(gate, tune).sequence()
    thresholds: dict[float, list[float | None]] = {risk: [] for risk in RISKS}
    for drawn in resamples(pool, repeats, _DRAWS):
        for risk, chosen in thresholds.items():
            chosen.append(drawn.threshold(sequence, risk))
    promises = []
    for risk, chosen in thresholds.items():
        coverage, true_risk = pool.truth(chosen)
        promises.append(Promise(risk, float(coverage.mean()), float((true_risk > risk).mean())))
    return Kept(seed, float(1 - test.wrong.mean()), promises)


def table(models: Sequence[Kept]) -> str:
    """The means over the seeds, and the largest share of violations of a seed."""
    accuracies = [model.accuracy for model in models]
    spread = f"{min(accuracies):.4f} to {max(accuracies):.4f}"
    lines = [f"test accuracy {statistics.mean(accuracies):.4f}, {spread}\n"]
    lines.append("| risk | certified coverage | violations | most of a seed |\n|---:|---:|---:|---:|")
    for promises in zip(*(model.promises for model in models), strict=True):
        coverage = statistics.mean(promise.coverage for promise in promises)
        broken = [promise.violations for promise in promises]
        lines.append(f"| {promises[0].risk:g} | {coverage:.3f} | {statistics.mean(broken):.3f} | {max(broken):.3f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models.promises", description="Promises of a recipe.")
    parser.add_argument("--recipe", choices=[name for name in get_args(Recipe) if name != "chapter"], default="auto")
    parser.add_argument("--seeds", type=positive_int, default=5, metavar="N")
    parser.add_argument("--json", type=Path, metavar="PATH", help="for the figures of every seed")
    options = parser.parse_args(arguments)
    dataset = fashion_mnist.load(locate(None) or fetch(lambda line: print(line, file=sys.stderr)))
    models = [measure(dataset, options.recipe, seed) for seed in range(options.seeds)]
    print(
        f"recipe {options.recipe}, {options.seeds} seeds; {RESAMPLES} calibration splits of {CALIBRATION_SIZE} from "
        f"{len(dataset.test)} test images; {hardware.described()}\n\n{table(models)}"
    )
    if options.json is not None:
        document = {"hardware": hardware.described(), "recipe": options.recipe}
        options.json.write_text(
            json.dumps({**document, "models": [asdict(model) for model in models]}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
