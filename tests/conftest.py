"""Shared fixtures: a tiny model, Fashion-MNIST, and a model that the real command trained on it."""

import fcntl
import functools
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpcore2
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests import tiny
from tests.server import Pipe
from training.data.dataset import Dataset
from training.data.sources import fashion_mnist
from training.data.sources.fetch import locate
from training.publishing.provenance import library_versions

ROOT = Path(__file__).parent.parent
collect_ignore = ["contract/rules.py"]  # loaded by schemathesis, in its own environment


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make test-clients` and `make test-contract`."""
    text = "query the service at this address, with the model of tests/tiny.py, by the stock clients"
    parser.addoption("--address", help=text)
    parser.addoption(
        "--cases", default="30", help="the number of cases of each operation in each of schemathesis's phases"
    )
    parser.addoption("--cases-seed", default="1", help="the seed of the cases")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the machine's settings, except the data folder."""
    for name in list(os.environ):
        if name.startswith("DEMUR_") and name != "DEMUR_DATA_DIR":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="session")
def _certificates_are_read_once() -> Iterator[None]:
    """Cache the machine's certificates: loading them takes 20 ms for every new client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", functools.cache(httpcore2.default_ssl_context))
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's file."""
    return tiny.write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def client(tiny_model: Path) -> Iterator[TestClient]:
    """The application with the tiny model; an unhandled exception fails the test."""
    with TestClient(create_app(Settings(model_path=tiny_model))) as client:
        yield client


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe."""
    pipe = Pipe()
    yield pipe
    os.close(pipe.out)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of Fashion-MNIST, from `make data`."""
    folder = locate(None)
    assert folder is not None, "no Fashion-MNIST on this machine: run `make data`"
    return folder


@pytest.fixture(scope="session")
def dataset(data_folder: Path) -> Dataset:
    """Fashion-MNIST, read and verified."""
    return fashion_mnist.load(data_folder)


@pytest.fixture(scope="session")
def trained_model(data_folder: Path) -> Path:
    """The model of the default recipe, trained by the real command on the real data.

    Sessions and xdist's workers share one file for each state of the code. The first one trains it, the others wait.
    """
    folder = ROOT / "build" / "tests" / _code_digest()
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / "model.onnx"
    command = [sys.executable, "-m", "training", "fit", "--data-dir", str(data_folder)]
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            subprocess.run([*command, "--out", str(out)], cwd=ROOT, check=True, capture_output=True)
    return out


def _code_digest() -> str:
    """A digest of every source file and library version that a model may depend on."""
    digest = hashlib.sha256(json.dumps(library_versions()).encode())
    for path in sorted(path for half in ("service", "training") for path in (ROOT / half).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]
