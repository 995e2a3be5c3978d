"""How many processor cores this process may use: its affinity, and the CPU quota of its control groups."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_CGROUPS = "sys/fs/cgroup"  # where Linux mounts them


def available_cores(root: Path = Path("/")) -> int:
    """At least 1; a quota of 1.5 cores counts as 2. `root` as for `quota`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, quota(root))))


def quota(root: Path = Path("/")) -> float:
    """The cores that the control groups of this process allow, infinite without a limit. `root` has Linux's files.

    A container that may use two cores of sixty-four, by `docker run --cpus` or a limit of Kubernetes, still sees all
    of them; once its threads have used up what it has of a period, 100 ms, the kernel stops them until the next.
    """
    return min(_quotas(root), default=math.inf)


def _quotas(root: Path) -> Iterator[float]:
    """Of the control group of this process and of those around it; of both versions."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = root / _CGROUPS / ("cpu" if controllers else "")
        # Within a container the path may be that outside of it, and only the mount itself exists.
        for folder in [PurePosixPath(group), *PurePosixPath(group).parents]:
            yield from _quota(mount / folder.relative_to("/"))


def _quota(folder: Path) -> Iterator[float]:
    """The quota of one control group, if it has one: the microseconds of processor time in a period of so many."""
    numbers = _read(folder / "cpu.max").split()  # version 2
    numbers = numbers or [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]  # version 1
    if len(numbers) == 2 and all(number.isdecimal() for number in numbers):  # neither `max` nor -1
        yield int(numbers[0]) / int(numbers[1])


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
