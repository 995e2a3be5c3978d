"""The real torchrun on this machine, and its processes."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.server import ROOT, command_environment

TWO = ("--standalone", "--nproc-per-node=2")


def start(*arguments: str) -> "subprocess.Popen[str]":
    """Start torchrun with `arguments`, its own and then the program's."""
    command = [sys.executable, "-m", "torch.distributed.run", *arguments]
    # A thread for each, as is torchrun's default where it starts several on one machine.
    environment = command_environment(OMP_NUM_THREADS="1")
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)


def finish(job: "subprocess.Popen[str]", status: int = 0) -> tuple[str, str]:
    """What it printed, on stdout and stderr, when it has ended with `status`."""
    try:
        output, errors = job.communicate(timeout=180)
    finally:
        job.terminate()  # torchrun ends its processes then; killed, it would leave them
    assert job.returncode == status, errors
    return output, errors


def worker_pid(torchrun: "subprocess.Popen[str]", rank: int) -> int:
    """The process of that rank, which Linux has in /proc."""
    children = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()
    ranks = {child: Path(f"/proc/{child}/environ").read_bytes().split(b"\0") for child in children}
    return next(int(child) for child, variables in ranks.items() if f"RANK={rank}".encode() in variables)


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[str]", seconds: float = 120) -> None:
    """Return when it is true; raise with what the process said where it ends before, or it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            raise AssertionError(f"did not come about: {process.communicate()[1]}")
        time.sleep(0.02)
