"""`make bench-lift`: what a quadratic lift costs the graph, and a request for one image.

Models of one epoch without a lift and with lifts of 64, 96 and 128 components, in turn: the graph on one thread for 1
and 16 images, and the server's processor time for a request of one image as JSON, with one connection and with
16, whose requests are scored together. The first round warms up. Needs wrk.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.processes import processor_seconds
from benchmarks.routes import request_body
from benchmarks.timing import wall_and_processor
from benchmarks.under_test import Served, served
from benchmarks.wrk import rate, two_cores
from service.inference.classifier import Classifier
from service.inference.readers.body import JSON
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate
from training.reporting.hardware import processor

COMPONENTS = (0, 64, 96, 128)
IMAGES = {1: 2000, 16: 500}  # and how often they are scored in a round
CONNECTIONS = (1, 16)
ROUNDS, SECONDS = 7, 2


def fitted(components: int, folder: Path) -> Path:
    """A model with a lift, or with 0 components none; the time of its graph does not depend on its weights."""
    out = folder / f"{components}.onnx"
    command = [sys.executable, "-m", "training", "fit", "--recipe", "tuned", "--epochs", "1", "--out", str(out)]
    lift = ["--lift", f"quadratic:{components}"] if components else []
    subprocess.run([*command, *lift], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return out


def graph(model: Path, count: int) -> float:
    """Processor microseconds to score so many images once."""
    classifier = Classifier.load(model)
    images = fashion_mnist.load(locate(None) or fetch(print)).test.inputs[:count]

    def repeat() -> None:
        for _ in range(IMAGES[count]):
            classifier.scores(images)

    return wall_and_processor(repeat)[1] / IMAGES[count] * 1e6


def request(server: Served, connections: int, core: int) -> float:
    """Processor microseconds of the server for a request."""
    before = processor_seconds(server.pid)
    body = request_body("JSON", 1)
    per_second = rate(server.address, ["/predict"], body, JSON, core, SECONDS, connections=connections)
    return (processor_seconds(server.pid) - before) / (per_second * SECONDS) * 1e6


def main() -> None:
    """Measure all in turn, print medians and their ratios."""
    cores = two_cores()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        models = {f"lift {k}" if k else "linear": fitted(k, Path(name)) for k in COMPONENTS}
        sizes = ", ".join(f"{label} {path.stat().st_size:,}" for label, path in models.items())
        tasks: dict[str, dict[str, Callable[[], float]]] = {}
        for label, path in models.items():
            server = stack.enter_context(served(["-m", "service"], cores[0], DEMUR_MODEL_PATH=str(path.resolve())))
            for count in IMAGES:
                tasks.setdefault(f"graph, images {count:2}", {})[label] = partial(graph, path, count)
            for connections in CONNECTIONS:
                row = tasks.setdefault(f"request, connections {connections:2}", {})
                row[label] = partial(request, server, connections, cores[1])
        taken: dict[str, dict[str, list[float]]] = {task: {label: [] for label in models} for task in tasks}
        for number in range(ROUNDS + 1):
            for task, row in tasks.items():
                for label, measure in row.items():
                    microseconds = measure()
                    if number:
                        taken[task][label].append(microseconds)
    print(f"processor microseconds, medians of {ROUNDS} rounds, and relative to the linear model; {processor()}")
    print(f"bytes: {sizes}")
    for task, row_taken in taken.items():
        medians = {label: statistics.median(values) for label, values in row_taken.items()}
        cells = (f"{label} {value:6.1f} ({value / medians['linear']:.2f})" for label, value in medians.items())
        print(f"  {task:24} {', '.join(cells)}")


if __name__ == "__main__":
    main()
