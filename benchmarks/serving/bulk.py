"""1,024 images as raw bytes in one request, in images a second, against onnxruntime in a loop on the same core.

The answers' media types are JSON and two binary ones; one that the service does not offer is left out.
"""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving.requests import NPY, Request
from benchmarks.serving.rounds import Spread, ratios
from benchmarks.serving.servers import TOLERANCE
from benchmarks.under_test import served
from benchmarks.wrk import rate, two_cores
from service.inference.answers.binary_answer import record
from service.inference.classifier import Classifier
from service.inference.readers.body import JSON, RAW

IMAGES, ROUNDS, SECONDS, CONNECTIONS = 1024, 5, 2, 4
ACCEPTED = {"JSON": JSON, "octet-stream": RAW, "npy": NPY}


def images() -> NDArray[np.uint8]:
    """Random uint8 [1024, 28, 28]; the time does not depend on the content."""
    return np.random.default_rng(0).integers(0, 256, (IMAGES, 28, 28), dtype=np.uint8)


def request(accept: str) -> Request:
    """All of them in one request."""
    return Request("/predict", images().tobytes(), RAW, accept)


def probabilities(answer: bytes, kind: str, count: int) -> NDArray[np.float32]:
    """The probabilities of an answer, [N, C]; binary answers are records.

    Raises ValueError if the answer is not of that kind.
    """
    if kind == "JSON":
        return np.array([each["probabilities"] for each in json.loads(answer)["predictions"]], np.float32)
    if kind == "octet-stream":
        classes = (len(answer) // count - record(0).itemsize) // 4
        records = np.frombuffer(answer, record(classes))
    else:
        records = np.load(io.BytesIO(answer), allow_pickle=False)
    named: NDArray[np.float32] = records["probabilities"]
    return named


def offered(address: str, right: NDArray[np.float32]) -> list[str]:
    """The kinds of answer that the service gives correctly; a wrong JSON answer raises ValueError."""
    kinds = []
    for kind, accept in ACCEPTED.items():
        try:
            answered = probabilities(request(accept).send(address), kind, IMAGES)
        except (OSError, ValueError) as error:
            answered = np.empty((0, 0), np.float32)
            print(f"{kind} is not offered: {error}"[:200], file=sys.stderr)
        if answered.shape == right.shape and np.abs(answered - right).max() <= TOLERANCE:
            kinds.append(kind)
        elif kind == "JSON":
            raise ValueError("the probabilities in the JSON answer are not onnxruntime's")
    return kinds


def direct(core: int, model: Path) -> float:
    """Images a second of onnxruntime called in a loop, in a process of its own."""
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", "benchmarks.serving.bulk"]
    environment = {**os.environ, "DEMUR_MODEL_PATH": str(model.resolve())}
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def measure(model: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """All in turn, as a document."""
    cores, right = two_cores(), Classifier.load(model).scores(images()).probabilities
    with served(["-m", "service"], cores[0], DEMUR_MODEL_PATH=str(model.resolve())) as ready:
        by_kind = {kind: request(ACCEPTED[kind]) for kind in offered(ready.address, right)}
        images_per_second: dict[str, list[float]] = {"onnxruntime": [], **{kind: [] for kind in by_kind}}
        for _ in range(rounds):
            images_per_second["onnxruntime"].append(direct(cores[0], model))
            for kind, ask in by_kind.items():
                per_second = rate(
                    ready.address,
                    [ask.path],
                    ask.body,
                    ask.content_type,
                    cores[1],
                    SECONDS,
                    accept=ask.accept,
                    connections=CONNECTIONS,
                )
                images_per_second[kind].append(IMAGES * per_second)
    return {
        "rounds": rounds,
        "images": IMAGES,
        "images_per_second": images_per_second,
        "of_onnxruntime": {
            kind: ratios(images_per_second[kind], images_per_second["onnxruntime"]).median for kind in by_kind
        },
    }


def table(document: dict[str, Any]) -> str:
    """Images a second of each kind of answer."""
    lines = ["| answer | images/s | of onnxruntime |", "|---|---|---|"]
    for kind, rates in document["images_per_second"].items():
        share = document["of_onnxruntime"].get(kind)
        lines.append(f"| {kind} | {Spread.of(rates).shown(',.0f')} | {'' if share is None else f'{share:.2f}'} |")
    return "\n".join(lines)


def _loop() -> None:
    from benchmarks.serving.scoring import Scorer

    scorer, batch, done = Scorer(), images(), 0
    for _ in range(3):
        scorer.probabilities(batch)
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < SECONDS:
        scorer.probabilities(batch)
        done += IMAGES
    print(done / elapsed)


if __name__ == "__main__":
    _loop()
