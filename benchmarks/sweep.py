"""`make bench-sweep`: an epoch of many learning rates fitted together, beside an epoch of one fit.

Fashion-MNIST, minibatches of 256, learning rates from 0.001 to 0.1, where the loss falls steadily. Both are measured
in turn, by the clock and by the processor's time, which other programs on the machine disturb less.
"""

import dataclasses
import sys
import time
from collections.abc import Callable

import torch

from training import hardware
from training.data import fashion_mnist
from training.data.fetch import fetch, locate
from training.data.splits import split
from training.fit import Examples, Fit, fit
from training.inputs import encoder_for
from training.job import examples
from training.option_values import positive
from training.recipes import CHAPTER
from training.sweep.grid import combinations, several
from training.sweep.together import fit_together

RUNS, ROUNDS = (1, 8, 32, 128), 7


def times(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock on the wall and of the processor, all threads."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


def largest_difference(train: Examples, tune: Examples, classes: int, rates: str) -> float:
    """In any weight, between fits together and each of them alone, after an epoch."""
    settings = combinations(dataclasses.replace(CHAPTER, epochs=1), {"learning_rate": several(positive)(rates)})
    together = fit_together(train, tune, classes, settings, torch.Generator().manual_seed(0))
    differences = []
    for one, other in zip(settings, together, strict=True):
        alone = fit(train, tune, classes, one, torch.Generator().manual_seed(0))
        assert isinstance(other, Fit)
        differences.append((alone.model.weights - other.model.weights).abs().max().item())
    return max(differences)


def main() -> None:
    """Measure in turn, print the least of each, the ratios, and how far apart the weights are."""
    dataset = fashion_mnist.load(locate(None) or fetch(lambda line: print(line, file=sys.stderr)))
    splits, classes = split(dataset, "tuned", 0), len(dataset.classes)
    encoder = encoder_for(dataset.input, splits.train)
    train, tune = examples(splits.train, encoder), examples(splits.tune, encoder)
    assert isinstance(train, Examples)
    assert isinstance(tune, Examples)
    base = dataclasses.replace(CHAPTER, epochs=1)
    alone, together = [], {runs: list[tuple[float, float]]() for runs in RUNS}
    for _ in range(ROUNDS):
        alone.append(times(lambda: fit(train, tune, classes, base, torch.Generator().manual_seed(0))))
        for runs, found in together.items():
            grid = [dataclasses.replace(base, learning_rate=0.001 * 100 ** (i / runs)) for i in range(runs)]
            found.append(times(lambda g=grid: fit_together(train, tune, classes, g, torch.Generator().manual_seed(0))))  # type: ignore[misc]
    wall, processor = (min(column) for column in zip(*alone, strict=True))
    print(f"an epoch of {len(train):,} images and a look at {len(tune):,}, least of {ROUNDS} rounds")
    print(f"{hardware.described()}, {torch.get_num_threads()} threads\n")
    print(f"{'runs':>12} {'wall, ms':>9} {'fits':>6} {'processor, ms':>14} {'fits':>6}")
    print(f"{'one fit':>12} {1e3 * wall:9.0f} {'':>6} {1e3 * processor:14.0f}")
    for runs, found in together.items():
        w, p = (min(column) for column in zip(*found, strict=True))
        print(f"{runs:>12} {1e3 * w:9.0f} {w / wall:6.2f} {1e3 * p:14.0f} {p / processor:6.2f}")
    print(f"\nlargest difference in a weight: {largest_difference(train, tune, classes, '1e-3:0.1:8'):.1e}")


if __name__ == "__main__":
    main()
