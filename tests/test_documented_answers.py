"""The answers, figures and texts of the service that the documents quote are real."""

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.inference.classifier import Classifier
from service.settings import Settings
from tests.documents import DOCS, README, blocks
from tests.server import ROOT, serving
from training.data.dataset import Dataset

RAW = "application/octet-stream"


@pytest.fixture(scope="module")
def client(trained_model: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(model_path=trained_model))) as client:
        yield client


def _post(client: TestClient, command: str) -> dict[str, Any]:
    """Send the request of a document's `curl --data-binary @FILE -H HEADER URL`."""
    program, _, body, _, header, url = shlex.split(command)
    assert program == "curl"
    name, _, value = header.partition(": ")
    parts = urlsplit(url)
    content = (ROOT / body.removeprefix("@")).read_bytes()
    answer: dict[str, Any] = client.post(f"{parts.path}?{parts.query}", content=content, headers={name: value}).json()
    return answer


def test_readme_curl_gets_the_documented_answer(client: TestClient) -> None:
    command = next(block for block in blocks(README, "sh") if block.startswith("curl"))
    expected, answer = json.loads(blocks(README, "json")[0]), _post(client, command)
    # The version covers the time and the revision, and weights differ slightly between processors.
    assert re.fullmatch(r"[0-9a-f]{12}", expected["model"].pop("version"))
    assert re.fullmatch(r"[0-9a-f]{12}", answer["model"].pop("version"))
    (expected_prediction,), (prediction,) = expected.pop("predictions"), answer.pop("predictions")
    assert expected["policy"].pop("threshold") == pytest.approx(answer["policy"].pop("threshold"), abs=0.03)
    assert expected == answer
    assert set(expected_prediction) == set(prediction)
    for name in ("decision", "label", "reason", "prediction_set"):
        assert expected_prediction[name] == prediction[name]
    assert [entry["label"] for entry in expected_prediction["top_k"]] == [
        entry["label"] for entry in prediction["top_k"]
    ]
    assert expected_prediction["probabilities"] == pytest.approx(prediction["probabilities"], abs=0.05)
    assert expected_prediction["confidence"] == max(expected_prediction["probabilities"])


def test_readme_abstentions_have_the_documented_reasons(client: TestClient) -> None:
    block = [block for block in blocks(README, "sh") if block.startswith("curl")][1]
    answers = [_post(client, command)["predictions"][0] for command in block.splitlines()]
    assert [answer["label"] for answer in answers] == [None, None]
    reasons = [answer["reason"] for answer in answers]
    assert reasons == ["low_confidence", "out_of_distribution"]
    before, _, _ = README.partition(block)
    assert all(f"`{reason}`" in before for reason in reasons)


def test_documented_form_gets_an_answer_for_each_file(client: TestClient) -> None:
    command = next(block for block in blocks((DOCS / "requests.md").read_text(), "sh") if block.startswith("curl -F"))
    program, *forms, url = shlex.split(command)
    assert (program, forms[::2]) == ("curl", ["-F"] * 2)
    pictures = [ROOT / form.removeprefix("file=@") for form in forms[1::2]]
    parts = urlsplit(url)
    sent = [("file", (path.name, path.read_bytes(), "image/png")) for path in pictures]
    predictions = client.post(f"{parts.path}?{parts.query}", files=sent).json()["predictions"]
    assert [len(prediction["top_k"]) for prediction in predictions] == [1, 1]
    assert [prediction["label"] for prediction in predictions] == ["Ankle boot", None]


def _example(heading: str, document: str = "operations") -> dict[str, Any]:
    """The JSON in the section of a document with this heading."""
    section = (DOCS / f"{document}.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    (block,) = blocks(section, "json")
    example: dict[str, Any] = json.loads(block)
    return example


def test_documented_log_line_is_real(trained_model: Path) -> None:
    example = _example("Logs and traces")
    trace = {"traceparent": f"00-{example['trace_id']}-00f067aa0ba902b7-01"}
    with serving(trained_model) as server:
        httpx2.post(f"{server.address}/predict", content=bytes(3 * 784), headers={"content-type": RAW, **trace})
        assert server.stop(signal.SIGTERM) == 0
        logged = json.loads(next(line for line in server.log() if example["request_id"] in line))
    assert list(logged) == list(example)
    changing = {"time": 0, "seconds": 0, "version": 0, "decisions": 0}
    assert {**logged, **changing} == {**example, **changing}


def test_documented_drift_is_that_of_its_images(client: TestClient, dataset: Dataset) -> None:
    documented = _example("Monitoring promises")
    left_out = [dataset.classes.index(name) for name in ("Shirt", "Coat")]
    images = dataset.test.inputs[~np.isin(dataset.test.labels, left_out)]
    with TestClient(create_app(client.app.state.settings)) as fresh:  # type: ignore[attr-defined]
        for start in range(0, len(images), 1000):
            body = images[start : start + 1000].tobytes()
            answer = fresh.post("/predict", content=body, headers={"content-type": "application/octet-stream"})
            assert answer.status_code == 200
        drift = fresh.get("/drift").json()
    assert set(documented) == set(drift)
    for name in ("inputs", "window", "window_number", "inputs_since", "reference"):
        assert documented[name] == drift[name]
    for name in ("labels", "confidence", "ood_score"):
        assert documented[name]["status"] == drift[name]["status"]
        assert documented[name]["psi"] == pytest.approx(drift[name]["psi"], abs=0.03)
        assert set(documented[name]) == set(drift[name]) - {"bins"}


def test_readme_operating_points_are_the_shipped_recipes(trained_model: Path) -> None:
    """Weights differ slightly between processors, so the percentages may differ by a few points."""
    manifest = Classifier.load(trained_model).manifest
    assert manifest.abstention is not None
    rows = re.findall(r"^\| at most (\d+) % \| (0\.\d+) \| (.+) % \| (.+) % \| (.+) % \|$", README, re.MULTILINE)
    documented = {int(row[0]) / 100: [float(number) for number in row[1:]] for row in rows}
    assert list(documented) == [certificate.selective_risk for certificate in manifest.abstention.selective_risk]
    for certificate, point in zip(manifest.abstention.selective_risk, manifest.metrics.operating_points, strict=False):
        assert certificate.threshold is not None
        assert certificate.coverage is not None
        assert point.selective_risk is not None
        threshold, *percentages = documented[certificate.selective_risk]
        assert threshold == pytest.approx(certificate.threshold, abs=0.03)
        measured = [100 * share for share in (certificate.coverage, point.coverage, point.selective_risk)]
        assert percentages == pytest.approx(measured, abs=4)


def test_documented_problem_is_that_of_a_bad_option(client: TestClient) -> None:
    expected = _example("Errors", "api")
    picture = (ROOT / "docs" / "ankle-boot.png").read_bytes()
    problem = client.post("/predict?top_k=12", content=picture, headers={"content-type": "image/png"}).json()
    expected.pop("request_id")
    problem.pop("request_id")
    assert expected == problem


def test_description_of_the_api_is_the_stored_one(trained_model: Path) -> None:
    """After an intended change, `make openapi` rewrites the file, and the diff shows the change for clients."""
    command = [sys.executable, "docs/openapi.py", str(trained_model)]
    result = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert result.stdout == (DOCS / "openapi.json").read_text()


def test_documented_commands_use_the_standard_protocols(trained_model: Path) -> None:
    text = (DOCS / "interoperability.md").read_text()
    commands = re.findall(r"^```sh\n(curl -s http://127.0.0.1:8000/v.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(commands) == 2
    with serving(trained_model) as server:
        described, answered = (
            json.loads(
                subprocess.check_output(["bash", "-c", command.replace("http://127.0.0.1:8000", server.address)])
            )
            for command in commands
        )
    assert described["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28]}]
    (prediction,) = answered["predictions"]
    assert (prediction["label"], len(prediction["top_k"])) == ("Ankle boot", 1)
