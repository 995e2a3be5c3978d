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
    """Bytes at the peak of one call, more than before it; None where this system does not say."""
    if not _RESET.exists():
        return None
    command = [sys.executable, "-m", __name__, form, str(examples), str(classes)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(form: str, examples: str, classes: str) -> int:
    """What `peak` starts: write the number."""
    FORMS[form](*inputs(form, 2, 2, "cpu"))  # what a first call sets up is not the form's
    data = inputs(form, int(examples), int(classes), "cpu")
    _RESET.write_text("5")  # the peak is from now on
    before = _status("VmRSS")
    FORMS[form](*data)
    sys.stdout.write(f"{_status('VmHWM') - before}\n")
    return 0


def _status(name: str) -> int:
    """A line of the process's status, in bytes."""
    (line,) = [line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:")]
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
