"""What several tests share: a tiny model, Fashion-MNIST itself, and a model that the real command trained on it."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests import tiny
from training.data.dataset import Dataset
from training.data.sources import fashion_mnist
from training.data.sources.fetch import locate

ROOT = Path(__file__).parent.parent
collect_ignore = ["contract/rules.py"]  # schemathesis's, which is in an environment of its own


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of `make test-clients` and `make test-contract`."""
    text = "ask the service there, which serves the model of tests/tiny.py, by the stock clients"
    parser.addoption("--address", help=text)
    parser.addoption("--cases", default="30", help="how many cases of each operation, in each of schemathesis's phases")
    parser.addoption("--cases-seed", default="1", help="what they are drawn by")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's reaches a test; the data folder is the exception."""
    for name in list(os.environ):
        if name.startswith("DEMUR_") and name != "DEMUR_DATA_DIR":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's file."""
    return tiny.write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def client(tiny_model: Path) -> Iterator[TestClient]:
    """The application with the tiny model; an exception that gets out of it fails the test."""
    with TestClient(create_app(Settings(model_path=tiny_model))) as client:
        yield client


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of Fashion-MNIST, which `make data` has brought here."""
    folder = locate(None)
    assert folder is not None, "no Fashion-MNIST on this machine: run `make data`"
    return folder


@pytest.fixture(scope="session")
def dataset(data_folder: Path) -> Dataset:
    """Fashion-MNIST, read and verified."""
    return fashion_mnist.load(data_folder)


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Path:
    """The model of the default recipe, trained by the real command on the real data."""
    if "PYTEST_XDIST_WORKER" in os.environ:  # whoever comes first fits it for all
        folder = tmp_path_factory.getbasetemp().parent
    else:
        folder = tmp_path_factory.mktemp("trained")
    out = folder / "model.onnx"
    command = [sys.executable, "-m", "training", "fit", "--if-missing", "--data-dir", str(data_folder)]
    with (folder / "fitting").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        subprocess.run([*command, "--out", str(out)], cwd=ROOT, check=True, capture_output=True)
    return out
