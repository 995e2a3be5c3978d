"""`make bench-fit`: an epoch of the fit, against its two products alone, and against torch's DataLoader and autograd.

Fashion-MNIST, 50,000 images, minibatches of 256, float32, the tuned recipe. All are measured in turn. An epoch of the
fit shuffles, fits and evaluates the 10,000 images of tune. The products are X @ W and X.T @ G over the same images, in
memory as float32 and in order: in minibatches of 256 and all at once, with a class per column, as usual, and with a
class per row, as in the fit. DataLoader and autograd do not evaluate tune.
"""

import dataclasses
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.timing import seconds
from benchmarks.training import images
from training.fitting.fit import fit
from training.fitting.recipes import TUNED
from training.reporting import hardware

ROUNDS, BATCH = 9, TUNED.batch_size
OUT = Path("build/bench-fit-epoch.json")
_EPOCHS = 3  # of a measured fit, so that its start hardly counts

FIT, LOADER = "fit", "DataLoader and autograd"


def products(features: Tensor, size: int, *, by_class: bool) -> None:
    """Compute only the products, forward and backward for ten classes, `size` images at a time."""
    weights, errors = torch.zeros(features.shape[1], 10), torch.zeros(size, 10)
    rows, columns = weights.T.contiguous(), errors.T.contiguous()
    for batch in torch.split(features, size):
        if by_class:
            rows @ batch.T
            columns[:, : len(batch)] @ batch
        else:
            batch @ weights
            batch.T @ errors[: len(batch)]


def loader_epoch(loader: DataLoader[tuple[Tensor, ...]], model: nn.Linear, optimizer: torch.optim.Optimizer) -> None:
    """An epoch as in the tutorials, with the same minibatches and momentum."""
    loss_of = nn.CrossEntropyLoss()
    for features, labels in loader:
        optimizer.zero_grad()
        loss_of(model(features), labels).backward()
        optimizer.step()


def measure(data: images.Images) -> dict[str, list[float]]:
    """Milliseconds of each, one value per round."""
    features, labels = images.plain(data.train)
    model = nn.Linear(features.shape[1], data.classes)
    optimizer = torch.optim.SGD(model.parameters(), lr=TUNED.learning_rate, momentum=TUNED.momentum)
    loader = DataLoader(TensorDataset(features, labels), batch_size=BATCH, shuffle=True)
    settings = dataclasses.replace(TUNED, epochs=_EPOCHS)
    of_fit = lambda: fit(data.train, data.tune, data.classes, settings, torch.Generator().manual_seed(0))  # noqa: E731
    runs: dict[str, tuple[Callable[[], object], int]] = {
        FIT: (of_fit, _EPOCHS),
        "products, minibatches": (lambda: products(features, BATCH, by_class=False), 1),
        "products, at once": (lambda: products(features, len(features), by_class=False), 1),
        "products, minibatches, a class a row": (lambda: products(features, BATCH, by_class=True), 1),
        "products, at once, a class a row": (lambda: products(features, len(features), by_class=True), 1),
        LOADER: (lambda: loader_epoch(loader, model, optimizer), 1),
    }
    milliseconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, (run, epochs) in runs.items():
            milliseconds[name].append(1e3 * seconds(run) / epochs)
    return milliseconds


def main() -> None:
    """Measure, print each median with its spread and the ratio of an epoch to it, and write."""
    milliseconds = measure(images.load())
    of_fit = statistics.median(milliseconds[FIT])
    print(f"an epoch, batch {BATCH}, median of {ROUNDS} rounds; {hardware.described()}\n")
    print("| | ms | least to most | the fit takes |\n|---|---|---|---|")
    for name, times in milliseconds.items():
        median = statistics.median(times)
        print(f"| {name} | {median:.0f} | {min(times):.0f} to {max(times):.0f} | {of_fit / median:.2f} of it |")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"hardware": hardware.described(), "milliseconds": milliseconds}, indent=2) + "\n")


if __name__ == "__main__":
    main()
