"""The memory of one form of the cross-entropy, without its inputs, measured in a separate process.

Linux only: the peak is VmHWM of /proc/self/status, reset first. `ru_maxrss` will not do, since a process inherits it
from the one that started it.
"""

import subprocess
import sys
from pathlib import Path

from exercises.cross_entropy_forms import FORMS, inputs

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def peak(form: str, examples: int, classes: int) -> int | None:
    """Peak bytes of one call above those before it; None if the system does not report them."""
    if not _RESET.exists():
        return None
    command = [sys.executable, "-m", __name__, form, str(examples), str(classes)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(form: str, examples: str, classes: str) -> int:
    """The process that `peak` starts: print the number."""
    FORMS[form](*inputs(form, 2, 2, "cpu"))  # the setup of a first call does not count for the form
    data = inputs(form, int(examples), int(classes), "cpu")
    _RESET.write_text("5")  # the peak counts from here
    before = _status("VmRSS")
    FORMS[form](*data)
    sys.stdout.write(f"{_status('VmHWM') - before}\n")
    return 0


def _status(name: str) -> int:
    """A value of the process's status, in bytes."""
    (line,) = [line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:")]
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
