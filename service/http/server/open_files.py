"""The limit of open files: a connection is one, and many systems allow 1,024 unless a process asks for more."""

import logging
import sys

_OTHERS = 100  # files that are not connections: models, libraries, the event loop, the log
_INFINITE = 1 << 62

_log = logging.getLogger("demur")


def allow_connections(count: int) -> None:
    """Raise the process's soft limit for `count` connections, and log a warning where the hard limit is lower.

    Up to twice as many are open for a moment: surplus connections get an answer before they are closed.
    """
    if sys.platform == "win32":  # has no such limit
        return
    import resource

    needed = 2 * count + _OTHERS
    soft, hard = (_INFINITE if n == resource.RLIM_INFINITY else n for n in resource.getrlimit(resource.RLIMIT_NOFILE))
    if soft < needed:
        soft = min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.RLIM_INFINITY if hard == _INFINITE else hard))
    if soft < needed:
        _log.warning("the system allows %d open files, and %d connections need %d", soft, count, needed)
