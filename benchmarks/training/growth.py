"""`make bench-growth`: time and memory of a fit and of an answer as the number of images, features or classes grows.

The data are synthetic, a pattern per class plus noise; each point runs in its own process. The fit has minibatches of
256 and momentum 0.9: its time is the minimum over some epochs, and its memory is the peak of the process above that
before the data were made. Components are those of the gate. An answer is one input through the service's Predictor, as
raw bytes, or 256 at once through `Classifier.scores`. The time "a unit" is that divided by the growing number: it is
constant if the time is linear.
"""

import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.timing import seconds
from benchmarks.training import growth_picture, made_model
from service.inference.predictor import Predictor
from service.inference.readers.body import RAW
from training.certification.principal_components import PrincipalComponents
from training.fitting.examples import Examples
from training.fitting.fit import fit
from training.fitting.recipes import TUNED
from training.reporting import hardware

POINTS = {
    "images": [(count, 784, 10) for count in (10_000, 30_000, 100_000, 300_000)],
    "features": [(4096, width, 10) for width in (784, 3_000, 10_000, 30_000, 100_000)],
    "classes": [(4096, 64, classes) for classes in (10, 100, 1_000, 10_000, 100_000)],
}
OUT = Path("build/bench-growth.json")
_BATCH, _EPOCHS = 256, 3
_LARGEST_FOR_COMPONENTS = 2**26  # as in the job
_REQUESTS = 20


def made(count: int, width: int, classes: int) -> Examples:
    """This many examples."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (count,), generator=generator)
    features = torch.randn(count, width, generator=generator)
    features[torch.arange(count), labels % width] += 3
    return Examples(features, labels)


def _answer(predictor: Predictor, body: bytes) -> None:
    predictor.answer(predictor.prepare(body, RAW))


def point(count: int, width: int, classes: int) -> dict[str, float]:
    """Milliseconds and MB of one point."""
    before = _peak()
    train = made(count, width, classes)
    tune = Examples(train.features[:_BATCH], train.labels[:_BATCH])
    settings = dataclasses.replace(TUNED, epochs=1, keep="last")
    generator = torch.Generator().manual_seed(0)
    fitted = fit(train, tune, classes, settings, generator)
    epoch = min(seconds(lambda: fit(train, tune, classes, settings, generator)) for _ in range(_EPOCHS))
    memory = _peak() - before
    sample = train.features[: max(2, _LARGEST_FOR_COMPONENTS // width)]
    fitted_components: list[PrincipalComponents] = []
    components = seconds(lambda: fitted_components.append(PrincipalComponents.fit(list(torch.split(sample, 1024)))))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        size = made_model.write(path, tune, fitted.model, fitted_components[0])
        predictor = made_model.load(path)
        one, many = tune.features[:1].numpy(), tune.features.numpy()
        body = one.tobytes()
        _answer(predictor, body)
        request = min(seconds(lambda: _answer(predictor, body)) for _ in range(_REQUESTS))
        scores = min(seconds(lambda: predictor.classifier.scores(many)) for _ in range(_EPOCHS))
    return {
        "epoch, ms": 1e3 * epoch,
        "fit, MB": memory,
        "components, ms": 1e3 * components,
        "request, ms": 1e3 * request,
        "256 scores, ms": 1e3 * scores,
        "file, MB": size / 2**20,
    }


def in_a_process(count: int, width: int, classes: int) -> dict[str, float]:
    """The point, measured in a new process."""
    line = [sys.executable, "-m", "benchmarks.training.growth", str(count), str(width), str(classes)]
    ended = subprocess.run(line, capture_output=True, check=False, text=True)
    if ended.returncode:
        sys.exit(ended.stderr)
    measurements: dict[str, float] = json.loads(ended.stdout)
    return measurements


def table(grows: str, points: Sequence[Sequence[int]], results: Sequence[dict[str, float]]) -> str:
    """One line per point: the results, and the time of an epoch divided by the growing number."""
    place = list(POINTS).index(grows)
    lines = [
        f"| {grows} | epoch a unit, us | " + " | ".join(results[0]) + " |",
        "|---" * (len(results[0]) + 2) + "|",
    ]
    for point_, values in zip(points, results, strict=True):
        unit = 1e3 * values["epoch, ms"] / point_[place]
        lines.append(f"| {point_[place]:,} | {unit:.2f} | " + " | ".join(f"{v:,.3g}" for v in values.values()) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Measure one point and print it as JSON, or all and print the tables, draw and write."""
    if arguments:
        print(json.dumps(point(*map(int, arguments))))
        return
    print(f"minibatches of {_BATCH}; {hardware.described()}, {torch.get_num_threads()} threads")
    everything = {}
    for grows, points in POINTS.items():
        everything[grows] = [in_a_process(*one) for one in points]
        print("\n" + table(grows, points, everything[grows]), flush=True)
    OUT.parent.mkdir(exist_ok=True)
    written = {grows: [[p, f] for p, f in zip(POINTS[grows], everything[grows], strict=True)] for grows in POINTS}
    OUT.write_text(json.dumps({"hardware": hardware.described(), "points": written}, indent=2) + "\n")
    growth_picture.draw(written, OUT.with_suffix(".png"))


def _peak() -> float:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
