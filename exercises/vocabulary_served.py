"""The exercise's model in service: published with its certificates, loaded, and called by HTTP."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from exercises.serving import RAW, serving
from service.contract.manifest import Manifest
from service.contract.policy import SelectiveRiskPolicy
from service.inference.classifier import Classifier
from training.data.text.corpus import standard_library
from training.data.text.task import Task
from training.fitting.next_token import NextToken, NextTokenSettings
from training.publishing.next_token import publish_next_token, release_options

REQUEST: dict[str, Any] = {"inputs": [["for", "i", "in", "range"], ["the", "value", "of", "the"]], "top_k": 2}
_MANY = 1024  # contexts, the default limit of the service
_TIMES, _TIMES_MANY = 100, 5


def serve(model: NextToken, task: Task, settings: NextTokenSettings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The promises, an answer, and the costs. Raises TrainingError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "next-token.onnx"
        start = time.perf_counter()
        released = publish_next_token(model, task, settings, release_options(path))
        published = time.perf_counter()
        Classifier.load(path)
        costs = {
            "classes": len(task.vocabulary),
            "release": published - start,
            "load": time.perf_counter() - published,
            "file": path.stat().st_size,
        }
        answer, request_costs = _call(path, task)
    values = {"served": _promised(released.classifier.manifest), "request": REQUEST, "answer": answer}
    return values, costs | request_costs


def small() -> tuple[NextTokenSettings, Task]:
    """A fit of a few seconds to the library's first files."""
    library = standard_library()
    names = list(library.texts)[:20]
    task = Task.of(type(library)(library.name, library.description, {name: library.texts[name] for name in names}))
    return NextTokenSettings(width=8, batch_size=256, steps=20), task


def _call(path: Path, task: Task) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer to `REQUEST`, and the costs of requests of several sizes."""
    one = {"inputs": REQUEST["inputs"][:1]}
    single, full = (json.dumps(one | more).encode() for more in ({}, {"probabilities": True}))
    contexts = task.report.contexts
    many = contexts[: min(_MANY, len(contexts))].numpy()
    with serving(path) as service:
        answer: dict[str, Any] = json.loads(service.send("/predict", json.dumps(REQUEST).encode()))
        return answer, {
            "ready": service.ready,
            "one": service.cost("/predict", single, _TIMES),
            "all": service.cost("/predict", full, _TIMES),
            "many": {"contexts": len(many), **service.cost("/predict", many.tobytes(), _TIMES_MANY, RAW)},
            "card": len(service.send("/model")),
        }


def _promised(manifest: Manifest) -> dict[str, Any]:
    """The certificates of selective risk, with the result of each on the report split."""
    assert manifest.abstention is not None
    points = {
        point.policy.selective_risk: point
        for point in manifest.metrics.operating_points
        if isinstance(point.policy, SelectiveRiskPolicy)
    }
    sizes = {name: split.size for name, split in manifest.data.splits.items()}
    promises = {}
    for certificate in manifest.abstention.selective_risk:
        point = points[certificate.selective_risk]
        promises[f"{certificate.selective_risk:g}"] = {
            "threshold": certificate.threshold,
            "coverage": certificate.coverage,
            "report_coverage": point.coverage,
            "report_risk": point.selective_risk,
        }
    return {
        "population": manifest.data.splits["calibration"].source,
        "sizes": sizes,
        "temperature": manifest.temperature,
        "accuracy": manifest.metrics.accuracy,
        "default": f"{release_options(Path()).abstention.default_risk:g}",
        "promises": promises,
    }
