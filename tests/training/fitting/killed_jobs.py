"""Training jobs that end by SIGKILL: `python -m tests.training.fitting.killed_jobs` starts one a line of input.

A job is forked where torch is loaded already. So two hundred of them take two minutes and not ten, and their ends fall
into the work and not into the imports. A line is JSON: `arguments` of `python -m training`, `seconds` until the kill
and the `pattern` of a file that is awaited before they count, or null. The answer is a line with the exit status, or
-9, and how many seconds the job had.
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
    """One job, from its fork to its end."""
    start = time.monotonic()
    job = os.fork()
    if not job:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        os.dup2(os.open(os.devnull, os.O_RDWR), sys.stdout.fileno())
        os._exit(main(arguments))
    # The job stays a zombie until it is waited for: its number is nobody else's until then.
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
