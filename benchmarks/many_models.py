"""`make bench-choices`: one service with 100 models beside one with one of them: memory, and requests a second.

The models are fitted on the handwritten digits of scikit-learn, 8 x 8. Every model answers a request
before memory is measured. Needs wrk.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.processes import resident
from benchmarks.under_test import served
from benchmarks.wrk import rate, two_cores
from service.inference.readers.body import RAW
from training.__main__ import main as train
from training.reporting.hardware import processor

MODELS, ROUNDS, SECONDS = 100, 7, 3


def fit(folder: Path) -> Path:
    """A model of the digits."""
    digits = load_digits()
    np.savez(folder / "digits.npz", images=(digits.images * 15.9).astype(np.uint8), labels=digits.target)
    out = folder / "digits.onnx"
    if train(["fit", "--data", str(folder / "digits.npz"), "--out", str(out)]):
        sys.exit("the model could not be fitted")
    return out


def main() -> None:
    """Measure both in turn, print the ratios."""
    cores = two_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = fit(folder)
        paths: dict[int, list[str]] = {}
        for count in (1, MODELS):
            (folder / str(count)).mkdir()
            for number in range(count):
                shutil.copy(model, folder / str(count) / f"digits-{number}.onnx")
            paths[count] = [f"/models/digits-{number}/predict" for number in range(count)]
        body = bytes(8 * 8)
        service = ["-m", "service"]
        with (
            served(service, cores[0], DEMUR_MODELS=str(folder / "1")) as one,
            served(service, cores[0], DEMUR_MODELS=str(folder / str(MODELS))) as many,
        ):
            servers = {1: one, MODELS: many}
            rates: dict[int, list[float]] = {count: [] for count in servers}
            for number in range(ROUNDS + 1):
                for count, server in servers.items():
                    got = rate(server.address, paths[count], body, RAW, cores[1], SECONDS)
                    if number:  # the first warms up
                        rates[count].append(got)
            memory = {count: resident(server.pid) for count, server in servers.items()}
        size = model.stat().st_size
    each = (memory[MODELS] - memory[1]) / (MODELS - 1)
    ratios = [many / one for one, many in zip(rates[1], rates[MODELS], strict=True)]
    print(f"1 and {MODELS} models of {size:,} bytes; {processor()}, one core each for server and wrk")
    print(
        f"  resident memory  {memory[1] / 1024:6.1f} MB and {memory[MODELS] / 1024:6.1f} MB, {each:.0f} KB a model more"
    )
    low, high = min(ratios), max(ratios)
    print(
        f"  requests/s       {statistics.median(rates[1]):6.0f} and {statistics.median(rates[MODELS]):6.0f}, "
        f"{statistics.median(ratios):.3f} of one model's ({low:.3f} to {high:.3f})"
    )


if __name__ == "__main__":
    main()
