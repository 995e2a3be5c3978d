"""The file decides for itself: anyone with an ONNX runtime abstains as the service does, without our code."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from training.data import Dataset
from training.data.splits import split


def decide_from_the_file_alone(path: Path, images: Any, selective_risk: float) -> list[str | None]:
    """The label of each image, or None for an abstention: onnxruntime and the manifest's JSON, nothing else."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    manifest = json.loads(session.get_modelmeta().custom_metadata_map["demur.manifest"])
    probabilities, confidence, ood_score = session.run(
        ["probabilities", "confidence", "ood_score"], {manifest["input"]["name"]: images}
    )
    certificates = manifest["abstention"]["selective_risk"]
    certificate = next(c for c in certificates if c["selective_risk"] == selective_risk)
    if certificate["status"] != "certified":
        return [None] * len(images)
    answered = (confidence.astype(float) >= certificate["threshold"]) & (
        ood_score.astype(float) <= manifest["abstention"]["out_of_distribution"]["threshold"]
    )
    best = probabilities.argmax(axis=1)
    return [manifest["labels"][label] if sure else None for label, sure in zip(best, answered, strict=True)]


def test_file_alone_decides_as_the_service_on_all_report_images(trained_model: Path, dataset: Dataset) -> None:
    report = split(dataset, "tuned", 0).report
    raw = {"content-type": "application/octet-stream"}
    with TestClient(create_app(Settings(model_path=trained_model))) as client:
        for risk in (0.01, 0.05):
            served: list[str | None] = []
            for images in np.split(report.inputs, 5):
                answer = client.post(f"/predict?selective_risk={risk}", content=images.tobytes(), headers=raw).json()
                served += [prediction["label"] for prediction in answer["predictions"]]
            alone = decide_from_the_file_alone(trained_model, report.inputs, risk)
            assert alone == served
            assert 1000 < sum(label is not None for label in alone) < 4500  # both outcomes were there
