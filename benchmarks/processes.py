"""Resource use of a process and its descendants, from Linux's /proc."""

import contextlib
import os
from pathlib import Path

_PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """The running process and its descendants; empty if it has ended."""
    children: dict[int, list[int]] = {}
    for child in (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may end meanwhile
            children.setdefault(int(_stat(child)[1]), []).append(child)
    pids = [pid] if (_PROC / str(pid)).exists() else []
    for parent in pids:  # grows during the loop
        pids += children.get(parent, [])
    return pids


def processor_seconds(pid: int) -> float:
    """CPU seconds of one process, all threads, user and system."""
    user, system = _stat(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Resident memory in KB."""
    return _kilobytes(pid, "Rss")


def proportional(pid: int) -> int:
    """Resident memory in KB; a page shared by n processes counts 1/n."""
    return _kilobytes(pid, "Pss")


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) from the third on; the name before them may contain any character."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _kilobytes(pid: int, name: str) -> int:
    lines = (line.split() for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines())
    return next(int(line[1]) for line in lines if line[0] == f"{name}:")
