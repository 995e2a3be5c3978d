"""schemathesis, unmodified, on the description of a real service: no 5xx, and no undescribed answer.

All of its checks are on. `rules.py` lists the refusals by rules that a schema cannot express.
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
def test_service_keeps_its_description(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> None:
    _hold(request, _EACH[name](tmp_path))


def test_service_of_several_models_keeps_its_description(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    for name, write in _EACH.items():
        write(tmp_path).rename(tmp_path / f"{name}.onnx")
    settings = {"DEMUR_MODELS": str(tmp_path), "DEMUR_DEFAULT_MODEL": "pictures"}
    # Models differ in the inputs that they accept, but share one path in the description.
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
