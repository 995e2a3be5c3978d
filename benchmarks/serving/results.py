"""`build/bench/*.json`: the results of each part of the benchmark, and the machine."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.reporting.hardware import described

FOLDER = Path("build/bench")
_PACKAGES = ("fastapi", "starlette", "uvicorn", "httptools", "uvloop", "pydantic", "onnxruntime", "numpy")


def machine() -> dict[str, Any]:
    """The hardware, and the versions of the service and of the load generator."""
    wrk = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout.split()[1]
    return {"hardware": described(), "versions": {**{name: version(name) for name in _PACKAGES}, "wrk": wrk}}


def write(part: str, document: dict[str, Any]) -> None:
    """Store the results of a part."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{part}.json"
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps({**machine(), **document}, indent=1) + "\n")
    beside.replace(path)


def read(part: str) -> dict[str, Any] | None:
    """The results of a part; None if it has not been run."""
    path = FOLDER / f"{part}.json"
    return json.loads(path.read_text()) if path.exists() else None
