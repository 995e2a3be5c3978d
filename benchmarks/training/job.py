"""`make bench-fit`: the complete training job against its epochs, and the fit against scikit-learn of equal accuracy.

The job is the tuned recipe on Fashion-MNIST: read, fit, certify, prove and publish, as in `python -m training fit`;
then the same command as a separate process, which also imports torch and writes the report. scikit-learn's
LogisticRegression gets the same 50,000 training images, scaled to 0..1. Accuracies are on the 10,000 official test
images; ours is the mean over as many seeds as rounds.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from benchmarks.timing import seconds
from benchmarks.training import images
from training.data.sources import fashion_mnist
from training.data.sources.fetch import locate
from training.fitting.fit import evaluate
from training.fitting.recipes import TUNED
from training.job import Job, run
from training.reporting import hardware

ROUNDS = 3
OUT = Path("build/bench-fit-job.json")
# The obvious choices: the default, and the solver that the documentation advises for many examples, with as many passes
# as its test accuracy still rises.
SKLEARN: dict[str, dict[str, Any]] = {
    "LogisticRegression()": {},
    'LogisticRegression(solver="saga", max_iter=10)': {"solver": "saga", "max_iter": 10},
}


@dataclass(frozen=True, slots=True)
class Seconds:
    """Seconds of one run of the job, in this process, after the imports."""

    read: float
    fit: float
    rest: float  # splits, encoder, certificates, proof, publication

    @property
    def total(self) -> float:
        """From reading the data to the published file."""
        return self.read + self.fit + self.rest


def job(folder: Path, seed: int) -> tuple[Seconds, float]:
    """One run, and its model's accuracy on the official test images."""
    start = time.perf_counter()
    dataset = fashion_mnist.load(locate(None) or sys.exit("make data"))
    read = time.perf_counter() - start
    outcome = run(Job("tuned", TUNED, seed, "cpu", folder / "model.onnx"), dataset)
    total = time.perf_counter() - start
    accuracy = evaluate(outcome.fit.model, images.load().test).accuracy
    return Seconds(read, outcome.seconds, total - read - outcome.seconds), accuracy


def command(folder: Path) -> float:
    """Seconds of the command as a separate process, with its report."""
    paths = ["--out", str(folder / "model.onnx"), "--report-dir", str(folder)]
    line = [sys.executable, "-m", "training", "fit", "--device", "cpu", *paths]
    return seconds(lambda: subprocess.run(line, check=True, capture_output=True))


def sklearn(data: images.Images, settings: dict[str, Any]) -> tuple[float, float]:
    """Seconds of its fit, and its accuracy."""
    features, labels = (column.numpy() for column in images.plain(data.train))
    model = LogisticRegression(**settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        taken = seconds(lambda: model.fit(features, labels))
    return taken, float(model.score(*(column.numpy() for column in images.plain(data.test))))


def main() -> None:
    """Measure, print and write."""
    print(f"median of {ROUNDS}; {hardware.described()}, {torch.get_num_threads()} threads\n")
    with tempfile.TemporaryDirectory() as folder:
        runs = [job(Path(folder), seed) for seed in range(ROUNDS)]
        commands = [command(Path(folder)) for _ in range(ROUNDS)]
    jobs, accuracy = [one for one, _ in runs], statistics.mean(accuracy for _, accuracy in runs)
    fit, total = (statistics.median(times) for times in ([one.fit for one in jobs], [one.total for one in jobs]))
    print(f"fit, {TUNED.epochs} epochs     {fit:5.2f} s, test accuracy {accuracy:.4f}")
    print(f"data read to published {total:5.2f} s, {total / fit:.2f} fits")
    print(f"  of it reading        {statistics.median(one.read for one in jobs):5.2f} s")
    print(f"  of it all else       {statistics.median(one.rest for one in jobs):5.2f} s")
    print(f"the command            {statistics.median(commands):5.2f} s, with imports and report")
    peers = {}
    data = images.load()
    for name, settings in SKLEARN.items():
        peers[name] = sklearn(data, settings)
        print(
            f"{name}: {peers[name][0]:.1f} s, {peers[name][0] / fit:.1f} fits, test accuracy {peers[name][1]:.4f}",
            flush=True,
        )
    OUT.parent.mkdir(exist_ok=True)
    written = {"jobs": [asdict(one) for one in jobs], "commands": commands, "accuracy": accuracy, "sklearn": peers}
    OUT.write_text(json.dumps({"hardware": hardware.described(), **written}, indent=2) + "\n")


if __name__ == "__main__":
    main()
