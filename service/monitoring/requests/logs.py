"""The log: what the service says on standard output, in one form, whoever says it."""

import logging
import sys

from service.monitoring.requests.lines import JsonLines, LineFormatter, Lines, TextLines
from service.settings import LogForm, LogLevel

# What these have to say is of a client's bytes. The client is told, and must not be able to fill the log.
_OF_BODIES = ("python_multipart", "PIL")


def lines_for(form: LogForm) -> Lines:
    """The form; `auto` is text on a terminal, and JSON where a machine reads."""
    return TextLines() if form == "text" or (form == "auto" and sys.stdout.isatty()) else JsonLines()


def configure(form: LogForm, level: LogLevel) -> None:
    """Send what `logging` gets to standard output: ours and uvicorn's from `level` on, of libraries the warnings."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LineFormatter(lines_for(form)))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("demur", "uvicorn"):
        logging.getLogger(name).setLevel(level.upper())
    for name in _OF_BODIES:
        logging.getLogger(name).setLevel(logging.CRITICAL)
