"""Time from process start to `/readyz`, and memory then, against a process that only imports a server's libraries."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import proportional, resident, tree
from benchmarks.serving import servers
from benchmarks.serving.rounds import Spread, ratios
from benchmarks.under_test import served
from benchmarks.wrk import two_cores

ROUNDS = 9
_POLL_SECONDS = 0.002
_IMPORTS = "import sys, numpy, onnxruntime, fastapi, uvicorn; print(flush=True); sys.stdin.read()"


def imports_alone(core: int) -> tuple[float, int, int]:
    """Seconds from process start to the end of the imports, then resident and proportional KB."""
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-c", _IMPORTS]
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return time.perf_counter() - start, resident(process.pid), proportional(process.pid)


def ready_service(model: Path, core: int) -> tuple[float, int, int]:
    """The same for `python -m service`: seconds until `/readyz` answers 200, and memory after one request."""
    ours = servers.ours(DEMUR_MODEL_PATH=str(model.resolve()))
    with served(ours.arguments, core, poll_seconds=_POLL_SECONDS, settings=ours.settings) as ready:
        ours.request.send(ready.address)
        pids = tree(ready.pid)
        return ready.seconds_to_ready, sum(map(resident, pids)), sum(map(proportional, pids))


def measure(model: Path, rounds: int = ROUNDS) -> dict[str, Any]:
    """Both in turn, as a document."""
    core, _ = two_cores()
    imports, service = [], []
    for _ in range(rounds + 1):  # the first round fills the page cache
        imports.append(imports_alone(core))
        service.append(ready_service(model, core))
    document: dict[str, Any] = {"rounds": rounds}
    for number, (name, form) in enumerate((("seconds", ".3f"), ("resident_kb", ",.0f"), ("proportional_kb", ",.0f"))):
        alone, ours = ([each[number] for each in runs[1:]] for runs in (imports, service))
        print(f"{name:16} imports {Spread.of(alone).shown(form)}, service {Spread.of(ours).shown(form)}")
        document[name] = {"imports": alone, "service": ours, "ratio": ratios(ours, alone).median}
    return document
