"""The Job's own command, run by two local torchruns as its two pods, one of which is killed."""

import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from service.inference.classifier import Classifier
from tests import torchrun
from tests.server import ROOT, free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The volume with data."""
    volume = tmp_path_factory.mktemp("demur")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 32)).astype(np.float32)
    np.save(volume / "x.npy", rows)
    np.save(volume / "y.npy", (rows @ rng.normal(size=(32, 3)) + 2 * rng.normal(size=(4000, 3))).argmax(axis=1))
    return volume


def _pod(index: int, folder: Path, port: int) -> "subprocess.Popen[str]":
    """Run the Job's command for the pod of this index, with another volume, address and number of epochs."""
    (job,) = [o for o in yaml.safe_load_all((ROOT / "deploy/kubernetes/train.yaml").read_text()) if o["kind"] == "Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    replacements = {
        "$(JOB_COMPLETION_INDEX)": str(index),
        "demur-train-0.demur-train": "127.0.0.1",
        "=29500": f"={port}",
        "/demur/": f"{folder}/",
    }
    arguments = []
    for argument in container["args"]:
        for deployed, local in replacements.items():
            argument = argument.replace(deployed, local)
        arguments.append(argument)
    return torchrun.start(*arguments, "--epochs=100", "--batch-size=200")


def _until_both_succeed(pods: list["subprocess.Popen[str]"], folder: Path, port: int) -> int:
    """Restart a pod when it fails, as by `restartPolicy: OnFailure`. Returns the number of restarts."""
    deadline, restarts = time.monotonic() + 180, 0
    while any(pod.poll() is None for pod in pods) or any(pod.returncode for pod in pods):
        for index, pod in enumerate(pods):
            if pod.poll():
                pod.communicate()
                pods[index] = _pod(index, folder, port)
                restarts += 1
        if time.monotonic() > deadline or restarts > 6:
            for pod in pods:
                pod.terminate()
            raise AssertionError("\n".join(pod.communicate()[1] for pod in pods))
        time.sleep(0.1)
    for pod in pods:
        torchrun.finish(pod)
    return restarts


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> str:
    """The version of the model from two pods that are not killed."""
    port = free_port()
    pods = [_pod(index, folder, port) for index in (0, 1)]
    outputs = [torchrun.finish(pod)[0] for pod in pods]
    assert "model " in outputs[0]
    assert outputs[1] == ""
    version = Classifier.load(folder / "model.onnx").version
    (folder / "model.onnx").unlink()
    return version


@pytest.mark.parametrize("index", [0, 1])
def test_process_of_a_pod_is_killed(folder: Path, undisturbed: str, index: int) -> None:
    port = free_port()
    pods = [_pod(index, folder, port) for index in (0, 1)]
    torchrun.wait_until((folder / "fit.checkpoint").exists, pods[0])
    os.kill(torchrun.worker_pid(pods[index], index), signal.SIGKILL)
    assert _until_both_succeed(pods, folder, port) == 0  # torchrun has restarted it
    assert Classifier.load(folder / "model.onnx").version == undisturbed


@pytest.mark.parametrize("index", [0, 1])
def test_pod_is_killed(folder: Path, undisturbed: str, index: int) -> None:
    port = free_port()
    pods = [_pod(index, folder, port) for index in (0, 1)]
    torchrun.wait_until((folder / "fit.checkpoint").exists, pods[0])
    worker = torchrun.worker_pid(pods[index], index)
    pods[index].kill()
    os.kill(worker, signal.SIGKILL)
    assert _until_both_succeed(pods, folder, port) >= 1
    assert Classifier.load(folder / "model.onnx").version == undisturbed
    assert not (folder / "fit.checkpoint").exists()
