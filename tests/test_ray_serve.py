"""The application of deploy/ray/serve.yaml, run for real on a Ray of this machine with its two replicas."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests import tiny
from tests.server import ROOT, command_environment, free_port

CONFIG = ROOT / "deploy" / "ray" / "serve.yaml"
SECONDS = 120


@contextmanager
def _running(model: Path, folder: Path) -> Iterator[tuple[str, Path, "subprocess.Popen[bytes]"]]:
    """Run the file with another port and model path. Yields the address, the log and the process."""
    config = yaml.safe_load(CONFIG.read_text())
    port = config["http_options"]["port"] = free_port()
    _variables(config)["DEMUR_MODEL_PATH"] = str(model)
    written, log = folder / "serve.yaml", folder / "log"
    written.write_text(yaml.safe_dump(config))
    environment = {name: value for name, value in command_environment().items() if name != "RAY_ADDRESS"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("serve"), "run", written],
            cwd=ROOT,
            env={**environment, "RAY_USAGE_STATS_ENABLED": "0"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{port}", log, process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(timeout=SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()  # otherwise the next test gets a warning about an unwaited process
                    raise


def _variables(config: dict[str, Any]) -> dict[str, str]:
    (application,) = config["applications"]
    (deployment,) = application["deployments"]
    variables: dict[str, str] = deployment["ray_actor_options"]["runtime_env"]["env_vars"]
    return variables


def _wait(ready: Any, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def _status(address: str) -> int | None:
    try:
        return httpx2.get(f"{address}/readyz", timeout=5).status_code
    except httpx2.TransportError:
        return None


def _but_for_ids(answer: dict[str, Any]) -> dict[str, Any]:
    for prediction in answer.get("predictions", []):
        prediction.pop("id")
        prediction.pop("audit")
    return answer


@pytest.mark.slow
def test_replicas_answer_like_the_service_and_count_separately(tiny_model: Path, tmp_path: Path) -> None:
    requests: list[tuple[str, dict[str, Any]]] = [
        ("/predict", {"json": {"inputs": tiny.IMAGES.tolist(), "policy": {"threshold": 0.8}}}),
        (
            "/predict?top_k=1",
            {"content": tiny.IMAGES.tobytes(), "headers": {"content-type": "application/octet-stream"}},
        ),
        ("/v1/models/tiny:predict", {"json": {"instances": tiny.IMAGES.tolist()}}),
        ("/explain", {"json": {"inputs": [[255, 0]]}}),
    ]
    with TestClient(create_app(Settings(model_path=tiny_model))) as client:
        expected = [_but_for_ids(client.post(path, **body).json()) for path, body in requests]
        card, refusal = client.get("/model").json(), client.post("/predict", json={"inputs": []}).json()["errors"]
    with _running(tiny_model, tmp_path) as (address, log, process):
        _wait(lambda: _status(address) == 200, log)
        assert httpx2.get(f"{address}/model").json() == card
        assert [_but_for_ids(httpx2.post(f"{address}{p}", **body).json()) for p, body in requests] == expected
        refused = httpx2.post(f"{address}/predict", json={"inputs": []})
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
        assert refused.json()["errors"] == refusal

        def ask(_: int) -> int:
            return httpx2.post(f"{address}/predict", json={"inputs": [[255, 0]]}).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(200))) == {200}
        counted: set[int] = set()

        def both_counted() -> bool:
            drift = httpx2.get(f"{address}/drift").json()
            counted.add(drift["inputs"] + drift["inputs_since"])  # of a first window and after it
            return len(counted) == 2

        _wait(both_counted, log)
        assert all(count > 0 for count in counted)
        assert sum(counted) == 200 + 3 * len(tiny.IMAGES)  # explanations are not counted
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SECONDS) == 0
        with pytest.raises(httpx2.TransportError):
            httpx2.get(f"{address}/readyz", timeout=5)


@pytest.mark.slow
def test_invalid_model_fails_the_deployment(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    with _running(broken, tmp_path) as (address, log, _):
        _wait(lambda: "broken.onnx is not a model that onnxruntime loads" in log.read_text(), log)
        assert _status(address) != 200


def test_settings_of_the_file_are_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    config = yaml.safe_load(CONFIG.read_text())
    for name, value in _variables(config).items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment() == Settings()
    assert (config["http_options"]["host"], config["http_options"]["port"]) == (Settings().host, Settings().port)
    (application,) = config["applications"]
    module, _, name = application["import_path"].partition(":")
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
    assert f"\n{name} = serve.deployment(" in source
    (deployment,) = application["deployments"]
    assert f"\nclass {deployment['name']}:" in source
    assert deployment["graceful_shutdown_timeout_s"] >= Settings().shutdown_seconds
