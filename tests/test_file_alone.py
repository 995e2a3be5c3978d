"""The file decides for itself: with any ONNX runtime and without our code it abstains as the service does."""

from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.hosts.alone import decide_from_the_file_alone
from training.data.dataset import Dataset
from training.data.splits import split


def test_file_alone_decides_like_the_service_on_all_report_images(trained_model: Path, dataset: Dataset) -> None:
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
            assert 1000 < sum(label is not None for label in alone) < 4500  # both outcomes occurred
