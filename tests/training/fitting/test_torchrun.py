"""`torchrun ... -m training fit`: two processes give the result of one, even if some are killed."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from service.inference.classifier import Classifier
from tests import torchrun
from tests.server import ROOT, command_environment, free_port

pytestmark = pytest.mark.slow

EPOCHS = 100
# The command itself, and again with the splits of a fit, 2,000 x 32 and 400 x 32, read from the file.
_PROGRAMS = {
    "in memory": ["-m", "training"],
    "streamed": [
        "-c",
        "import sys; from training import __main__; from training.fitting import source; "
        "source._LARGEST_IN_MEMORY = 10_000; sys.exit(__main__.main())",
    ],
}


@dataclass(frozen=True)
class Fit:
    """A command, and the undisturbed results of one process and of two."""

    command: list[str]
    one: Path
    two: Path


@pytest.fixture(scope="module", params=list(_PROGRAMS))
def fit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fit:
    folder = tmp_path_factory.mktemp("torchrun")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 32)).astype(np.float32)
    labels = (rows @ rng.normal(size=(32, 3)) + 2 * rng.normal(size=(4000, 3))).argmax(axis=1)
    np.save(folder / "x.npy", rows)
    np.save(folder / "y.npy", labels)
    command = [sys.executable, *_PROGRAMS[request.param], "fit", "--precision", "float64", "--epochs", str(EPOCHS)]
    command += ["--batch-size", "200"]
    command += ["--data", str(folder / "x.npy"), "--labels", str(folder / "y.npy")]
    result = Fit(command, folder / "one.onnx", folder / "two.onnx")
    alone = [*command, "--out", str(result.one)]
    subprocess.run(alone, cwd=ROOT, env=command_environment(OMP_NUM_THREADS="1"), check=True, capture_output=True)
    _, output = torchrun.finish(torchrun.start(*torchrun.TWO, "--no-python", *command, "--out", str(result.two)))
    assert output.count(f"epoch {EPOCHS}/{EPOCHS}: ") == 1  # only the first process prints
    return result


def _weights(path: Path) -> dict[str, NDArray[np.float32]]:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    return {"weights": constants["columns"] @ constants["logit_parts"], "biases": constants["biases"]}


def _assert_same_weights(path: Path, expected: Path) -> None:
    """Compare to 1e-6 of each weight."""
    for name, values in _weights(expected).items():
        np.testing.assert_allclose(_weights(path)[name], values, rtol=1e-6, atol=0)


def test_two_processes_give_the_weights_of_one(fit: Fit) -> None:
    _assert_same_weights(fit.two, fit.one)
    one, two = Classifier.load(fit.one).manifest, Classifier.load(fit.two).manifest
    assert (one.training.processes, two.training.processes) == (1, 2)
    assert two.training == one.training.model_copy(update={"processes": 2})
    assert two.data == one.data


@pytest.mark.parametrize("rank", [0, 1])
def test_killed_worker_restarts_and_the_result_is_the_same(fit: Fit, tmp_path: Path, rank: int) -> None:
    out, checkpoint = tmp_path / "model.onnx", tmp_path / "fit.checkpoint"
    command = [*fit.command, "--out", str(out), "--checkpoint", str(checkpoint)]
    job = torchrun.start(*torchrun.TWO, "--max-restarts=3", "--no-python", *command)
    torchrun.wait_until(checkpoint.exists, job)
    os.kill(torchrun.worker_pid(job, rank), signal.SIGKILL)
    _, output = torchrun.finish(job)
    assert f"exitcode: {-signal.SIGKILL}" in output
    # Every epoch was reported, and at most one twice: finished epochs were not repeated.
    epoch_lines = [line for line in output.splitlines() if line.startswith("epoch ")]
    assert len({line.split()[1] for line in epoch_lines}) == EPOCHS
    assert len(epoch_lines) <= EPOCHS + 1
    assert Classifier.load(out).version == Classifier.load(fit.two).version
    _assert_same_weights(out, fit.one)
    assert list(tmp_path.iterdir()) == [out]  # the checkpoint is gone


def test_fit_resumes_with_another_number_of_processes(fit: Fit, tmp_path: Path) -> None:
    out, checkpoint = tmp_path / "model.onnx", tmp_path / "fit.checkpoint"
    command = [*fit.command, "--out", str(out), "--checkpoint", str(checkpoint)]
    job = torchrun.start(*torchrun.TWO, "--no-python", *command)
    torchrun.wait_until(checkpoint.exists, job)
    job.send_signal(signal.SIGTERM)  # this ends the workers too
    job.communicate(timeout=60)
    assert not out.exists()
    alone = subprocess.run(
        command, cwd=ROOT, env=command_environment(OMP_NUM_THREADS="1"), check=True, capture_output=True, text=True
    )
    assert f"epoch 1/{EPOCHS}" not in alone.stderr
    _assert_same_weights(out, fit.one)


def test_machines_with_different_options_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(4000, 3)).astype(np.float32))
    np.save(tmp_path / "y.npy", np.arange(4000) % 2)
    command = ["--module", "training", "fit", "--data", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy")]
    address = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={free_port()}"]
    machines = [
        torchrun.start(*address, f"--node-rank={rank}", *command, "--seed", str(rank), "--out", str(tmp_path / "out"))
        for rank in (0, 1)
    ]
    outputs = [torchrun.finish(machine, status=1)[1] for machine in machines]
    line = "demur: process 1 of 2 has seed 1, and process 0 has 0: all need the same data and the same options"
    assert line in outputs[1].splitlines()
    assert "demur: process 0 of 2 lost the connection to the others: " in outputs[0]
    assert not (tmp_path / "out").exists()


def test_error_ends_all_processes_with_one_line(tmp_path: Path) -> None:
    command = ["fit", "--data", str(tmp_path / "nowhere.npy"), "--out", str(tmp_path / "model.onnx")]
    shown, stderr = torchrun.finish(torchrun.start(*torchrun.TWO, "--module", "training", *command), status=1)
    assert shown == ""
    assert f"demur: --data {tmp_path}/nowhere.npy does not exist" in stderr.splitlines()
    assert list(tmp_path.iterdir()) == []


def test_settings_are_chosen_once_for_all_processes(tmp_path: Path) -> None:
    """The first process tells the others its choice, and shares the fit with them."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12_000, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", rows)
    np.save(tmp_path / "y.npy", (rows[:, 0] * rows[:, 1] > 0).astype(np.int64))
    command = ["-m", "training", "fit", "--precision", "float64"]
    command += ["--data", str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy")]
    alone = [sys.executable, *command, "--out", str(tmp_path / "one.onnx")]
    subprocess.run(alone, cwd=ROOT, env=command_environment(OMP_NUM_THREADS="1"), check=True, capture_output=True)
    job = torchrun.start(*torchrun.TWO, "--no-python", sys.executable, *command, "--out", str(tmp_path / "two.onnx"))
    _, output = torchrun.finish(job)
    assert output.count("tried the features alone: ") == 1  # only the first process prints
    one, two = (Classifier.load(tmp_path / name).manifest.training for name in ("one.onnx", "two.onnx"))
    assert one.recipe == "auto"
    assert one.lift == 4
    assert two == one.model_copy(update={"processes": 2})
    _assert_same_weights(tmp_path / "two.onnx", tmp_path / "one.onnx")
