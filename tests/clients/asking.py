"""Runs the stock clients against a service."""

import subprocess
from pathlib import Path

from tests.server import ROOT

CLIENTS = ["tritonclient_sync", "tritonclient_aio", "kserve", "kserve_v1", "open_inference_openapi"]
PYTHON = ROOT / "build" / "clients" / "bin" / "python"
_SCRIPT = Path(__file__).parent / "stock.py"


def ask_by(client: str, address: str) -> None:
    """Query the service at `address`, with the model of `tests/tiny.py`, by one stock client.

    Raises AssertionError with the client's output if it fails.
    """
    command = [str(PYTHON), str(_SCRIPT), client, address]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
