"""`make bench-gpu`: an epoch of the fit on the CPU, on a GPU launch by launch, and on the GPU as one recording.

Fashion-MNIST, 50,000 images in minibatches of 256, by the tuned recipe; and the same images with labels drawn from
1,000 classes. Only the training is measured, without the evaluation of tune, in turn, and the first epoch of each by
itself. Then two complete commands, fit and a sweep of 32 learning rates, on each device. Without a GPU it fails with
a message.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks.timing import seconds
from benchmarks.training import images
from training.fitting.examples import Examples
from training.fitting.fit import RecordedFit, train_epoch
from training.fitting.recipes import TUNED
from training.fitting.regression import SoftmaxRegression
from training.fitting.sgd import SGD
from training.reporting import hardware

ROUNDS, BATCH, MANY = 7, TUNED.batch_size, 1000
OUT = Path("build/bench-gpu.json")
_COMMANDS = {
    "fit": ["fit"],
    "sweep of 32 learning rates": ["sweep", "--learning-rate", "1e-3:0.1:32"],
}


def epochs(train: Examples, classes: int, *, recorded: bool) -> Callable[[], object]:
    """A function that trains for one epoch on the device of `train`, and waits until it is done."""
    model = SoftmaxRegression.initial(train.width, classes, torch.Generator().manual_seed(0)).to(train.device)
    sgd, generator = SGD(TUNED.momentum, TUNED.weight_decay, TUNED.clip_norm), torch.Generator().manual_seed(0)
    rates = [1e-3] * -(-len(train) // BATCH)
    if recorded:
        fit = RecordedFit(model, train, sgd, BATCH)
        return lambda: fit.epoch(generator, rates)
    return lambda: train_epoch(model, train.minibatches(BATCH, generator), sgd, iter(rates))


def measure(train: Examples, classes: int) -> dict[str, list[float]]:
    """Milliseconds of an epoch in each way; the first of each, which includes the recording, is separate."""
    on_gpu = train.to(torch.device("cuda"))
    runs = {
        "CPU": epochs(train, classes, recorded=False),
        "GPU, launched": epochs(on_gpu, classes, recorded=False),
        "GPU, recorded": epochs(on_gpu, classes, recorded=True),
    }
    milliseconds = {f"{name}, first epoch": [1e3 * seconds(run)] for name, run in runs.items()}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            milliseconds.setdefault(name, []).append(1e3 * seconds(run))
    return milliseconds


def commands() -> dict[str, list[float]]:
    """Seconds of each command, from its start to its end, on each device in turn."""
    seconds_by_command: dict[str, list[float]] = {}
    for _ in range(3):
        for name, words in _COMMANDS.items():
            for device in ("cpu", "cuda"):
                with tempfile.TemporaryDirectory() as folder:
                    command = [sys.executable, "-m", "training", *words, "--device", device]
                    run = partial(subprocess.run, [*command, "--out", f"{folder}/out"], check=True, capture_output=True)
                    seconds_by_command.setdefault(f"{name}, {device}", []).append(seconds(run))
    return seconds_by_command


def main() -> int:
    """Measure, print each median with its spread, and write; returns the exit status."""
    if not torch.cuda.is_available():
        print("make bench-gpu: torch finds no CUDA device here, so nothing was measured", file=sys.stderr)
        return 1
    data = images.load()
    labels = torch.randint(0, MANY, (len(data.train),), generator=torch.Generator().manual_seed(0))
    milliseconds = {
        f"{data.classes} classes": measure(data.train, data.classes),
        f"{MANY} classes": measure(Examples(data.train.stored, labels, data.train.levels), MANY),
    }
    machine = f"{torch.cuda.get_device_name()}, torch {torch.__version__}; {hardware.described()}"
    print(f"an epoch of training, batch {BATCH}, median of {ROUNDS} rounds; {machine}\n")
    print("| | | ms | least to most |\n|---|---|---|---|")
    for task, ways in milliseconds.items():
        for way, times in ways.items():
            print(f"| {task} | {way} | {statistics.median(times):.1f} | {min(times):.1f} to {max(times):.1f} |")
    command_seconds = commands()
    print("\n| complete command | s | least to most |\n|---|---|---|")
    for command, times in command_seconds.items():
        print(f"| {command} | {statistics.median(times):.1f} | {min(times):.1f} to {max(times):.1f} |")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(
        json.dumps({"hardware": machine, "milliseconds": milliseconds, "seconds": command_seconds}, indent=2) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
