"""Runs the real torchrun on this machine."""

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
    # One thread for each process is torchrun's default for several processes on one machine.
    environment = command_environment(OMP_NUM_THREADS="1")
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)


def finish(job: "subprocess.Popen[str]", status: int = 0) -> tuple[str, str]:
    """Wait until the job ends with `status`. Returns its standard output and error."""
    try:
        output, errors = job.communicate(timeout=180)
    finally:
        job.terminate()  # a killed torchrun would leave its processes running
    assert job.returncode == status, errors
    return output, errors


def worker_pid(torchrun: "subprocess.Popen[str]", rank: int) -> int:
    """The process of a rank, from /proc."""
    children = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()
    ranks = {child: Path(f"/proc/{child}/environ").read_bytes().split(b"\0") for child in children}
    return next(int(child) for child, variables in ranks.items() if f"RANK={rank}".encode() in variables)


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[str]", seconds: float = 120) -> None:
    """Wait until the condition holds. Raises with the standard error if the process ends first or it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            raise AssertionError(f"the condition was not met: {process.communicate()[1]}")
        time.sleep(0.02)
