"""schemathesis, unmodified, on the description of a real service: no 5xx, and no undescribed answer.

All of its checks are on. `rules.py` says which refusals rest on what a schema cannot say.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import tiny, tiny_features, tiny_tokens
from tests.server import ROOT, serving

pytestmark = pytest.mark.contract

_PROGRAM = ROOT / "build" / "contract" / "bin" / "schemathesis"
_EACH: dict[str, Callable[[Path], Path]] = {
    "pictures": tiny.write,
    "table": lambda folder: tiny_features.write_table(folder, "mean"),
    "embeddings": tiny_features.write_embedding,
    "tokens": tiny_tokens.write,
}


@pytest.mark.parametrize("name", _EACH)
def test_service_does_as_its_description_says(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> None:
    _hold(request, _EACH[name](tmp_path))


def test_service_of_several_models_does_as_its_description_says(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    for name, write in _EACH.items():
        write(tmp_path).rename(tmp_path / f"{name}.onnx")
    settings = {"DEMUR_MODELS": str(tmp_path), "DEMUR_DEFAULT_MODEL": "pictures"}
    # What one model takes another refuses, and to the description they are one path.
    _hold(request, tmp_path / "pictures.onnx", "--exclude-checks", "positive_data_acceptance", **settings)


def _hold(request: pytest.FixtureRequest, model: Path, *options: str, **settings: str) -> None:
    cases, seed = request.config.getoption("--cases"), request.config.getoption("--cases-seed")
    with serving(model, **settings) as server:
        command = [_PROGRAM, "run", f"{server.address}/openapi.json", "--max-examples", cases, "--seed", seed]
        command += [
            "--request-timeout",
            "10",
            "--generation-database",
            "none",
            "--no-color",
            "--continue-on-failure",
            *options,
        ]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.contract.rules", "PYTHONPATH": str(ROOT)}
        result = subprocess.run(command, cwd=model.parent, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        generated = re.search(r"([\d,]+) generated", result.stdout)
        assert generated is not None
        assert int(generated[1].replace(",", "")) > 1000
        sys.stdout.write(result.stdout[result.stdout.index("Test cases") :])
        assert server.stop(signal.SIGTERM) == 0
