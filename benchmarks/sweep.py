"""`make bench-sweep`: an epoch of many learning rates fitted together, against an epoch of one fit.

Fashion-MNIST, minibatches of 256, learning rates from 0.001 to 0.1, where the loss falls steadily. Both are measured
in turn, in wall time and in processor time, which other programs on the machine disturb less.
"""

import dataclasses
import sys
import time
from collections.abc import Callable
from functools import partial

import torch

from service.contract.option_values import positive
from training.cli.values import several
from training.data.encoders import encoder_for
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate
from training.data.splits import split
from training.fitting.examples import Examples
from training.fitting.fit import Fit, fit
from training.fitting.recipes import CHAPTER, combinations
from training.fitting.source import examples
from training.fitting.sweep.together import fit_together
from training.reporting import hardware

RUNS, ROUNDS = (1, 8, 32, 128), 5


def times(run: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds and processor seconds of all threads."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


def largest_difference(train: Examples, tune: Examples, classes: int, rates: str) -> float:
    """The largest difference of any weight between fits together and each by itself, after an epoch."""
    settings = combinations(dataclasses.replace(CHAPTER, epochs=1), {"learning_rate": several(positive)(rates)})
    together = fit_together(train, tune, classes, settings, torch.Generator().manual_seed(0))
    differences = []
    for one, other in zip(settings, together, strict=True):
        alone = fit(train, tune, classes, one, torch.Generator().manual_seed(0))
        assert isinstance(other, Fit)
        differences.append((alone.model.weights - other.model.weights).abs().max().item())
    return max(differences)


def compare(train: Examples, tune: Examples, classes: int, threads: int) -> None:
    """Measure one fit and fits together in turn with this many threads; print the minimum of each and the ratios."""
    torch.set_num_threads(threads)
    base = dataclasses.replace(CHAPTER, epochs=1)
    grids = [[dataclasses.replace(base, learning_rate=0.001 * 100 ** (i / n)) for i in range(n)] for n in RUNS]
    alone, together = [], [list[tuple[float, float]]() for _ in RUNS]
    for _ in range(ROUNDS):
        alone.append(times(lambda: fit(train, tune, classes, base, torch.Generator().manual_seed(0))))
        for grid, measured in zip(grids, together, strict=True):
            measured.append(times(partial(fit_together, train, tune, classes, grid, torch.Generator().manual_seed(0))))
    wall, processor = (min(column) for column in zip(*alone, strict=True))
    print(f"\n{f'threads: {threads}':>12} {'wall, ms':>9} {'fits':>6} {'processor, ms':>14} {'fits':>6}")
    print(f"{'one fit':>12} {1e3 * wall:9.0f} {'':>6} {1e3 * processor:14.0f}")
    for runs, measured in zip(RUNS, together, strict=True):
        w, p = (min(column) for column in zip(*measured, strict=True))
        print(f"{runs:>12} {1e3 * w:9.0f} {w / wall:6.2f} {1e3 * p:14.0f} {p / processor:6.2f}", flush=True)


def main() -> None:
    """Compare, with one thread and with all, and print how far apart the weights are."""
    dataset = fashion_mnist.load(locate(None) or fetch(lambda line: print(line, file=sys.stderr)))
    splits, classes = split(dataset, "tuned", 0), len(dataset.classes)
    encoder = encoder_for(dataset.input, splits.train)
    train, tune = examples(splits.train, encoder), examples(splits.tune, encoder)
    assert isinstance(train, Examples)
    assert isinstance(tune, Examples)
    print(f"an epoch of {len(train):,} images and a look at {len(tune):,}, least of {ROUNDS} rounds")
    print(hardware.described())
    for threads in sorted({1, torch.get_num_threads()}):
        compare(train, tune, classes, threads)
    print(f"\nlargest difference in a weight: {largest_difference(train, tune, classes, '1e-3:0.1:8'):.1e}")


if __name__ == "__main__":
    main()
