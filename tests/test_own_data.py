"""A user's own data, from files to a certified answer: the commands, and the service."""

import base64
import csv
import html
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.app import create_app
from service.settings import Settings
from training.__main__ import main

pytestmark = pytest.mark.process

RNG = np.random.default_rng(0)
N = 1200
# Three groups of points in the plane, and an uninformative third column.
LABELS = RNG.integers(0, 3, N)
ROWS = (RNG.normal(size=(N, 3)) + np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0]])[LABELS]).astype(np.float32)
NAMES = ["sand", "clay", "silt"]


@contextmanager
def _served(model: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(model_path=model))) as client:
        yield client


def _fit(out: Path, *options: str) -> None:
    assert main(["fit", "--out", str(out), "--report-dir", str(out.parent / "report"), *options]) == 0
    assert (out.parent / "report" / "report.html").is_file()


def _labels(client: TestClient, **body: Any) -> list[str | None]:
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["policy"]["kind"] == "selective_risk"
    return [prediction["label"] for prediction in answer.json()["predictions"]]


def test_embeddings(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ROWS.astype(np.float64))  # of another width than the graph's
    np.save(tmp_path / "y.npy", LABELS)
    _fit(tmp_path / "m.onnx", "--data", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy"))
    with _served(tmp_path / "m.onnx") as client:
        typical = np.array([[0, 0, 0], [5, 0, 0], [0, 5, 0]], dtype=np.float32)
        far = np.array([400, -300, 900], dtype=np.float32)
        assert _labels(client, inputs=typical.tolist()) == ["0", "1", "2"]
        assert _labels(client, inputs=[base64.b64encode(row.tobytes()).decode() for row in typical]) == ["0", "1", "2"]
        raw = {"content-type": "application/octet-stream"}
        (prediction,) = client.post("/predict", content=far.tobytes(), headers=raw).json()["predictions"]
        assert prediction["reason"] == "out_of_distribution"
    evaluate = ["evaluate", str(tmp_path / "m.onnx"), "--data", str(tmp_path / "x.npy")]
    assert main([*evaluate, "--labels", str(tmp_path / "y.npy")]) == 0


def test_table_with_categories_and_missing_values(tmp_path: Path) -> None:
    with (tmp_path / "soil.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["depth", "width", "colour", "soil"])
        for number, (row, label) in enumerate(zip(ROWS, LABELS, strict=True)):
            depth = "" if number % 50 == 0 else f"{100 + 10 * row[0]:.3f}"
            writer.writerow([depth, f"{row[1]:.3f}", ["red", "brown"][int(row[2] > 0)], NAMES[label]])
    options = ["--data", str(tmp_path / "soil.csv"), "--label-column", "soil", "--missing", "mean"]
    _fit(tmp_path / "m.onnx", *options)
    with _served(tmp_path / "m.onnx") as client:
        card = client.get("/model").json()
        assert card["labels"] == sorted(NAMES)
        assert [column["name"] for column in card["input"]["columns"]] == ["depth", "width", "colour"]
        assert card["input"]["columns"][2]["categories"] == ["brown", "red"]
        clay = {"depth": 150.0, "width": 0.0, "colour": "red"}
        assert _labels(client, inputs=[clay, [150.0, 0.0, "brown"], {**clay, "colour": "green"}]) == ["clay"] * 3
        assert _labels(client, inputs=[{"depth": None, "width": 5.0, "colour": "red"}]) != ["sand"]
        wrong = client.post("/predict", json={"inputs": [{**clay, "depth": "deep"}]})
        assert wrong.json()["errors"][0]["field"] == "inputs[0].depth"


def test_report_split_from_elsewhere_warns_in_the_file_the_log_and_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Three labels of ten are wrong, in the report split only."""
    splits = np.repeat(["train", "tune", "calibration", "report"], [500, 200, 300, 200])
    labels = np.where((splits == "report") & (np.arange(N) % 10 < 3), (LABELS + 1) % 3, LABELS)
    with (tmp_path / "soil.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["x", "y", "z", "soil", "split"])
        for row, label, split in zip(ROWS, labels, splits, strict=True):
            writer.writerow([*row.tolist(), NAMES[label], split])
    data = ["--data", str(tmp_path / "soil.csv"), "--label-column", "soil", "--split-column", "split"]
    _fit(tmp_path / "m.onnx", *data)
    printed = capsys.readouterr().out
    with caplog.at_level("WARNING", "demur"), _served(tmp_path / "m.onnx") as client:
        card = client.get("/model").json()
    certified = [c["selective_risk"] for c in card["abstention"]["selective_risk"] if c["status"] == "certified"]
    certified += [c["reject_cost"] for c in card["abstention"]["reject_cost"] if c["status"] == "certified"]
    assert [float(warning.split()[0].partition("=")[2]) for warning in card["warnings"]] == certified
    assert "selective_risk=0.05 promises at most 5 % errors" in "".join(card["warnings"])
    assert caplog.messages == [f"model soil: {warning}" for warning in card["warnings"]]
    report = html.unescape((tmp_path / "report" / "report.html").read_text())
    for warning in card["warnings"]:
        assert f"warning: {warning}" in printed
        assert warning in report


@pytest.mark.parametrize("channels", [1, 3])
def test_folder_of_pictures(tmp_path: Path, channels: int) -> None:
    """Two folders: bright at the top and bright at the bottom. In colour, the lower half is red."""
    for number in range(400):
        below = number % 2
        picture = RNG.integers(0, 60, (6, 6, channels), dtype=np.uint8)
        picture[3 * below : 3 * below + 3, :, 0] += 150
        folder = tmp_path / "pictures" / ["above", "below"][below]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.squeeze()).save(folder / f"{number}.png")
    _fit(tmp_path / "m.onnx", "--data", str(tmp_path / "pictures"), "--false-alarm-rate", "0.05")
    with _served(tmp_path / "m.onnx") as client:
        for number, name in ((0, "above"), (1, "below")):
            content = (tmp_path / "pictures" / name / f"{number}.png").read_bytes()
            answer = client.post("/predict", content=content, headers={"content-type": "image/png"}).json()
            assert answer["predictions"][0]["label"] == name
