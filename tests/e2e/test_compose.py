"""All steps in real containers: `up`, predictions on real images, and a comparison with the training job."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import numpy as np
import pytest
import yaml

from tests.e2e.engine import READY_SECONDS, call, wait_until_ready
from tests.server import ROOT, free_port
from tests.service.monitoring.metrics.scraped import read
from tests.supply.lock import pins, plain
from training.data.dataset import Dataset
from training.data.splits import split

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Stack:
    """A running project with our compose file."""

    project: str
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run docker compose, version 1 or 2, on this project."""
        v2 = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
        program = ["docker", "compose"] if v2 else ["docker-compose"]
        return call([*program, "--project-name", self.project, *arguments], PORT=str(self.port), **environment)

    def container(self, service: str) -> dict[str, Any]:
        """The engine's description of a service's container."""
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}"]
        filters = [argument for label in labels for argument in ("--filter", f"label={label}")]
        name = call(["docker", "ps", "--all", "--quiet", *filters]).stdout.split()[0]
        inspected: list[dict[str, Any]] = json.loads(call(["docker", "inspect", name]).stdout)
        return inspected[0]

    def wait_until_ready(self) -> None:
        """Wait until /readyz says 200. Fails the test with the logs otherwise."""
        wait_until_ready(self.address, lambda: self.compose("logs").stdout)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """`up` on a new volume, and everything removed at the end."""
    assert shutil.which("docker"), "no docker on this machine"
    stack = Stack(f"demur-e2e-{os.getpid()}", free_port())
    try:
        stack.compose("up", "--build", "--detach")
        stack.wait_until_ready()
        yield stack
    finally:
        stack.compose("--profile", "observability", "down", "--volumes", "--remove-orphans")


def test_report_split_over_http_equals_what_training_reported(stack: Stack, dataset: Dataset) -> None:
    card = httpx2.get(f"{stack.address}/model").json()
    report = split(dataset, card["training"]["recipe"], card["training"]["seed"]).report
    assert report.fingerprint() == card["data"]["splits"]["report"]["fingerprint"]

    truth = [card["labels"][label] for label in report.labels]

    for point in card["metrics"]["operating_points"]:
        kind = point["policy"]["kind"]
        query = {kind: point["policy"].get(kind, "true")}
        predictions = []
        with httpx2.Client(base_url=stack.address, headers={"content-type": "application/octet-stream"}) as client:
            for images in np.split(report.inputs, 5):
                answer = client.post("/predict", content=images.tobytes(), params=query, timeout=30).json()
                assert (answer["model"]["version"], answer["policy"]) == (card["version"], point["policy"])
                predictions += answer["predictions"]
        labels = [prediction["label"] for prediction in predictions]
        right = sum(label == true for label, true in zip(labels, truth, strict=True))
        answered = sum(label is not None for label in labels)
        assert (answered, answered - right) == (point["answered"], point["errors"])

    assert (kind, right / len(report)) == ("never_abstain", card["metrics"]["accuracy"])
    probabilities = np.array([prediction["probabilities"] for prediction in predictions])
    true_label = probabilities[np.arange(len(report)), report.labels]
    assert -np.log(true_label).mean() == pytest.approx(card["metrics"]["nll"], abs=1e-6)


@pytest.mark.parametrize(
    ("picture", "label", "reason"),
    [
        ("ankle-boot", "Ankle boot", None),
        ("shirt", None, "low_confidence"),
        ("noise", None, "out_of_distribution"),
    ],
)
def test_clear_boot_is_answered_and_a_doubtful_shirt_and_noise_are_not(
    stack: Stack, picture: str, label: str | None, reason: str | None
) -> None:
    content = (ROOT / "docs" / f"{picture}.png").read_bytes()
    url = f"{stack.address}/predict?selective_risk=0.05"
    (prediction,) = httpx2.post(url, content=content, headers={"content-type": "image/png"}).json()["predictions"]
    assert (prediction["label"], prediction["reason"]) == (label, reason)


def test_page_is_in_the_image(stack: Stack) -> None:
    page = httpx2.get(f"{stack.address}/")
    assert page.headers["content-type"].startswith("text/html")
    assert httpx2.get(f"{stack.address}/page/main.js").status_code == 200


def test_feedback_is_counted(stack: Stack) -> None:
    content = (ROOT / "docs" / "ankle-boot.png").read_bytes()
    answer = httpx2.post(f"{stack.address}/predict", content=content, headers={"content-type": "image/png"}).json()
    feedback = {"id": answer["predictions"][0]["id"], "label": "Ankle boot"}
    assert httpx2.post(f"{stack.address}/feedback", json=feedback).json()["errors"] == 0
    (state,) = httpx2.get(f"{stack.address}/feedback").json()["policies"]
    assert (state["policy"]["kind"], state["answered"], state["promise"]) == ("selective_risk", 1, "open")


def test_metrics_are_served(stack: Stack) -> None:
    before = read(httpx2.get(f"{stack.address}/metrics").text)
    content = (ROOT / "docs" / "ankle-boot.png").read_bytes()
    httpx2.post(f"{stack.address}/predict", content=content, headers={"content-type": "image/png"})
    scraped = read(httpx2.get(f"{stack.address}/metrics").text)
    assert scraped.total("demur_inputs_total") == before.total("demur_inputs_total") + 1
    assert scraped.value("process_resident_memory_bytes", worker="0") > 0


def test_monitoring_starts_beside_the_service(stack: Stack) -> None:
    profile = ("--profile", "observability")
    images = [service["image"] for service in _services().values() if service.get("profiles") == ["observability"]]
    for image in images:
        if any(_docker(*words, image).returncode == 0 for words in (("image", "inspect"), ("pull",))):
            continue
        pytest.skip(f"{image} cannot be pulled here")
    ports = {"PROMETHEUS_PORT": free_port(), "GRAFANA_PORT": free_port()}
    stack.compose(*profile, "up", "--detach", **{name: str(port) for name, port in ports.items()})
    prometheus, grafana = (f"http://127.0.0.1:{port}" for port in ports.values())
    _wait_until(lambda: _json(f"{prometheus}/api/v1/query?query=up")["data"]["result"][0]["value"][1] == "1")
    assert len(_json(f"{prometheus}/api/v1/rules")["data"]["groups"]) == 3
    _wait_until(lambda: _json(f"{grafana}/api/dashboards/uid/demur")["dashboard"]["title"] == "Demur")
    query = {"query": "up", "time": str(int(time.time()))}
    answer = httpx2.get(f"{grafana}/api/datasources/proxy/uid/prometheus/api/v1/query", params=query).json()
    assert answer["data"]["result"]


def _services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return services


def _docker(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)


def _json(url: str) -> Any:
    return httpx2.get(url).json()


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            if holds():
                return
        except (httpx2.TransportError, ValueError, LookupError):
            pass  # not up yet
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.5)


def test_second_up_does_not_train_again(stack: Stack) -> None:
    version = httpx2.get(f"{stack.address}/model").json()["version"]
    stack.compose("up", "--detach")
    stack.wait_until_ready()
    assert httpx2.get(f"{stack.address}/model").json()["version"] == version
    assert "nothing to do" in stack.compose("logs", "train").stdout


def test_training_that_fails_its_gate_keeps_the_model(stack: Stack) -> None:
    train = ["run", "--rm", "train", "fit", "--out", "/models/model.onnx", "--epochs", "1", "--min-accuracy", "0.99"]
    with pytest.raises(AssertionError, match=r"under --min-accuracy 0\.99: nothing was published"):
        stack.compose(*train)
    version = httpx2.get(f"{stack.address}/model").json()["version"]
    stack.compose("restart", "serve")
    stack.wait_until_ready()
    assert httpx2.get(f"{stack.address}/model").json()["version"] == version


def test_retrained_model_is_loaded_without_a_restart(stack: Stack) -> None:
    before, started = _json(f"{stack.address}/model")["version"], stack.container("serve")["State"]["StartedAt"]
    stack.compose("run", "--rm", "train", "fit", "--out", "/models/model.onnx", "--seed", "1", "--min-accuracy", "0.88")
    _wait_until(lambda: _json(f"{stack.address}/model")["version"] != before)
    assert _json(f"{stack.address}/model")["training"]["seed"] == 1
    assert stack.container("serve")["State"]["StartedAt"] == started


@pytest.mark.parametrize("service", ["train", "serve"])
def test_container_is_confined(stack: Stack, service: str) -> None:
    container = stack.container(service)
    assert container["Config"]["User"] == "10001"
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in container["HostConfig"]["SecurityOpt"]
    assert container["HostConfig"]["PidsLimit"] == 256
    assert container["HostConfig"]["Memory"] == (512 if service == "serve" else 2048) * 2**20
    processors = "NanoCpus" if service == "serve" else "CpuShares"
    assert container["HostConfig"][processors] == (10**9 if service == "serve" else 256)


def test_engine_reports_the_service_healthy(stack: Stack) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while (status := stack.container("serve")["State"]["Health"]["Status"]) == "starting":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert status == "healthy"


@pytest.mark.parametrize("module", ["torch", "onnx", "training", "matplotlib"])
def test_serving_image_has_nothing_of_training(stack: Stack, module: str) -> None:
    with pytest.raises(AssertionError, match=f"No module named '{module}'"):
        stack.compose("exec", "-T", "serve", "python", "-c", f"import {module}")


def test_serving_image_has_the_packages_of_the_lock_and_no_other(stack: Stack) -> None:
    code = "import importlib.metadata as m; [print(d.name, d.version) for d in m.distributions()]"
    lines = stack.compose("exec", "-T", "serve", "python", "-c", code).stdout.splitlines()
    installed = dict(line.split() for line in lines)
    assert {plain(name): version for name, version in installed.items()} == {
        n: p.version for n, p in pins("serve").items()
    }


def test_stop_is_graceful(stack: Stack) -> None:
    stack.compose("stop", "serve")
    assert stack.container("serve")["State"]["ExitCode"] == 0
