"""Training jobs that end by SIGKILL: `python -m tests.training.fitting.killed_jobs` starts one per line of input.

Jobs are forked from a process that has loaded torch. So two hundred of them take two minutes instead of ten, and they
are killed during the work and not during the imports. A line is JSON: `arguments` of `python -m training`, `seconds`
until the kill, and the `pattern` of a file to wait for before the seconds count, or null. The answer is a line with the
exit status, or -9 if killed, and the seconds that the job ran.
"""

import glob
import json
import os
import signal
import sys
import time

import training.cli.fit  # noqa: F401  # loaded before any job is forked
from training.__main__ import main


def run(arguments: list[str], seconds: float, pattern: str | None) -> tuple[int, float]:
    """Run one job, from its fork to its end."""
    start = time.monotonic()
    job = os.fork()
    if not job:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        os.dup2(os.open(os.devnull, os.O_RDWR), sys.stdout.fileno())
        os._exit(main(arguments))
    # The job stays a zombie until it is waited for, so no other process gets its pid.
    ended = None
    while pattern is not None and ended is None and not glob.glob(pattern, include_hidden=True):
        ended = signal.sigtimedwait([signal.SIGCHLD], 0)
    if ended is None and signal.sigtimedwait([signal.SIGCHLD], seconds) is None:
        os.kill(job, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    signal.sigtimedwait([signal.SIGCHLD], 0)  # of a job that was killed
    return status, time.monotonic() - start


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(**json.loads(line))) + "\n")
        sys.stdout.flush()
