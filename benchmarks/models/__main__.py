"""`make bench-models`: our models beside scikit-learn's LogisticRegression with the best C, on the same splits.

For each data set and seed both fit on `train` and choose on `tune`; both are measured on the rows of calibration and
report together. `--json PATH` writes the figures of every run. SEEDS= sets the number of seeds.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import torch
from threadpoolctl import threadpool_limits

from benchmarks.models import table
from benchmarks.models.compare import Run, compare
from benchmarks.models.data import DATA_SETS, DataSet
from service.contract.option_values import positive_int
from training.data.opening import load
from training.data.options import Recipe
from training.reporting import hardware


def measure(data_set: DataSet, recipe: Recipe, seeds: int) -> list[Run]:
    """Its runs, one a seed."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = load(data_set.write(Path(folder)), None, lambda _: None)
        count = min(seeds, data_set.most_seeds or seeds)
        return [compare(data_set.name, dataset, recipe, seed) for seed in range(count)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description="Models beside scikit-learn's.")
    names = [each.name for each in DATA_SETS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help="a data set; may be repeated")
    parser.add_argument("--recipe", choices=get_args(Recipe), default="auto")
    parser.add_argument("--seeds", type=positive_int, default=5, metavar="N")
    parser.add_argument("--threads", type=positive_int, default=torch.get_num_threads(), metavar="N", help="of both")
    parser.add_argument("--json", type=Path, metavar="PATH", help="for the figures of every run")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print(
        f"recipe {options.recipe}, mean of {options.seeds} seeds (fewer for "
        f"{', '.join(each.name for each in DATA_SETS if each.most_seeds)}); {hardware.described()}, "
        f"{options.threads} threads\n\n{table.HEADER}"
    )
    runs: list[Run] = []
    with threadpool_limits(options.threads):
        for data_set in DATA_SETS:
            if options.only is None or data_set.name in options.only:
                runs += measure(data_set, options.recipe, options.seeds)
                print(table.rows(runs)[-1].text(), flush=True)
    print(f"\n{table.summary(table.rows(runs))}")
    if options.json is not None:
        document = {"hardware": hardware.described(), "threads": options.threads, "recipe": options.recipe}
        options.json.write_text(json.dumps({**document, "runs": [asdict(run) for run in runs]}, indent=2) + "\n")


if __name__ == "__main__":
    main()
