"""Decides with a model's file alone: with any onnxruntime, numpy and the manifest's JSON, without our code.

`python alone.py MODEL INPUTS.npy OUT` writes `OUT.json`, the decisions by policy, and `OUT.f32`, the scores.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort


def decide_from_the_file_alone(path: Path, inputs: Any, selective_risk: float) -> list[str | None]:
    """The label of each input, or None for an abstention."""
    manifest, scores = _scored(path, inputs)
    certificate = next(c for c in _certificates(manifest) if c["selective_risk"] == selective_risk)
    return _decided(manifest, scores, certificate)


def _scored(path: Path, inputs: Any) -> tuple[Any, Any]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    manifest = json.loads(session.get_modelmeta().custom_metadata_map["demur.manifest"])
    names = ["probabilities", "confidence", "ood_score"]
    return manifest, session.run(names, {manifest["input"]["name"]: inputs})


def _certificates(manifest: Any) -> Any:
    return manifest["abstention"]["selective_risk"]


def _decided(manifest: Any, scores: Any, certificate: Any) -> list[str | None]:
    probabilities, confidence, ood_score = scores
    if certificate["status"] != "certified":
        return [None] * len(confidence)
    answered = (confidence.astype(float) >= certificate["threshold"]) & (
        ood_score.astype(float) <= manifest["abstention"]["out_of_distribution"]["threshold"]
    )
    best = probabilities.argmax(axis=1)
    return [manifest["labels"][label] if sure else None for label, sure in zip(best, answered, strict=True)]


def _main(model: str, inputs: str, out: str) -> None:
    manifest, scores = _scored(Path(model), np.load(inputs))
    labels = {str(c["selective_risk"]): _decided(manifest, scores, c) for c in _certificates(manifest)}
    Path(f"{out}.json").write_text(json.dumps({"host": f"onnxruntime {ort.__version__}", "labels": labels}))
    Path(f"{out}.f32").write_bytes(b"".join(part.astype("<f4").tobytes() for part in scores))


if __name__ == "__main__":
    _main(*sys.argv[1:])
