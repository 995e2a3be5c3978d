"""How many files a process may have open: a connection is one, and many systems give 1,024 unless asked for more."""

import logging
import sys

_OWN = 100  # that are no connections: models, libraries, the event loop, a log
_INFINITE = 1 << 62

_log = logging.getLogger("demur")


def allow_connections(count: int) -> None:
    """Raise the process's own limit as far as `count` connections need it, and say so where the system's is lower.

    Twice as many may be open for a moment: those that are too many are told so before they end.
    """
    if sys.platform == "win32":  # which has no such limit
        return
    import resource

    needed = 2 * count + _OWN
    soft, hard = (_INFINITE if n == resource.RLIM_INFINITY else n for n in resource.getrlimit(resource.RLIMIT_NOFILE))
    if soft < needed:
        soft = min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.RLIM_INFINITY if hard == _INFINITE else hard))
    if soft < needed:
        _log.warning("the system lets the service open %d files, of which %d connections need %d", soft, count, needed)
