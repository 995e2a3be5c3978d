"""Stock clients of the Open Inference Protocol, unmodified, against a real service."""

import subprocess
from pathlib import Path

import pytest

from tests.server import ROOT, serving

PYTHON = ROOT / "build" / "clients" / "bin" / "python"
SCRIPT = Path(__file__).parent / "stock.py"


@pytest.mark.clients
@pytest.mark.parametrize("client", ["tritonclient_sync", "tritonclient_aio", "kserve", "open_inference_openapi"])
def test_stock_client_gets_its_answers(tiny_model: Path, client: str) -> None:
    with serving(tiny_model) as server:
        command = [str(PYTHON), str(SCRIPT), client, server.address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
