"""Container engine access for the tests with real containers."""

import os
import subprocess
import time
from collections.abc import Callable

import httpx2
import pytest

from tests.server import ROOT

READY_SECONDS = 60
# The confinement of the service in compose and Kubernetes.
CONFINED = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
CONFINED += ["--memory", "512m", "--pids-limit", "256", "--cpus", "1"]


def call(command: list[str], **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in the root of the repository. It must succeed."""
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{command} gave {result.returncode}:\n{result.stdout}\n{result.stderr}"
    return result


def wait_until_ready(address: str, logs: Callable[[], str]) -> None:
    """Wait until /readyz says 200. Fails the test with the logs otherwise."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{address}/readyz", timeout=2).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.2)
    pytest.fail(f"not ready within {READY_SECONDS} s:\n{logs()}")
