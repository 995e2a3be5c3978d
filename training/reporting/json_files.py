"""The files of numbers: `metrics.json` of a fit, `evaluation.json` of a published file."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from service.contract.manifest import Manifest
from training.fitting.fit import Epoch
from training.reporting.evaluation.evaluation import Evaluation, StrangeSet


def metrics_json(manifest: Manifest, version: str, history: Sequence[Epoch], seconds: float) -> bytes:
    """What the manifest says of the fit and its quality, and each epoch."""
    return _bytes(
        {
            "model": {"name": manifest.name, "version": version},
            "fit_seconds": round(seconds, 3),
            **manifest.model_dump(mode="json", include={"metrics", "training", "data", "versions"}),
            "history": [asdict(epoch) for epoch in history],
        }
    )


def evaluation_json(evaluation: Evaluation) -> bytes:
    """All that was measured on the report split, but for what belongs to single inputs."""
    manifest = evaluation.manifest
    return _bytes(
        {
            "model": {"name": manifest.name, "version": evaluation.version},
            "report": manifest.data.splits["report"].model_dump(),
            "metrics": manifest.metrics.model_dump(mode="json", exclude={"operating_points"}),
            "operating_points": [point.model_dump(mode="json") for point in evaluation.points],
            "risk_coverage": {name: asdict(found) for name, found in evaluation.risk_coverage.items()},
            "classes": [asdict(c) for c in evaluation.classes],
            "confusion": evaluation.confusion.tolist(),
            "strange_inputs": [_strange(strange) for strange in evaluation.strange],
            "prediction_sets": [
                {**asdict(sets), "promise": sets.promise.model_dump(mode="json")} for sets in evaluation.prediction_sets
            ],
            "false_alarms": evaluation.false_alarms,
            "contradictions": evaluation.contradictions,
        }
    )


def _strange(strange: StrangeSet) -> dict[str, Any]:
    return {
        "name": strange.name,
        "size": len(strange.inputs),
        "by_ood_score": asdict(strange.by_ood_score),
        "by_confidence": asdict(strange.by_confidence),
        "turned_away": strange.flagged,
        "answered": strange.answered,
    }


def _bytes(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
