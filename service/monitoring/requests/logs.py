"""The log on standard output: JSON for machines, columns of text for a person at a terminal."""

import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import orjson

from service.inference.outcome import Outcome
from service.monitoring.requests.exchange import Exchange
from service.monitoring.requests.log_writer import LogWriter, standard_output
from service.settings import LogForm, LogLevel

# These libraries log about a client's bytes. The client gets an error, and must not be able to fill the log.
_BODY_LIBRARIES = ("python_multipart", "PIL")
_MAX_PATH_CHARACTERS = 200
_UTC_Z = orjson.OPT_UTC_Z
_FORMATTER = logging.Formatter()  # of exceptions


class Lines(Protocol):
    """A format of the log."""

    def format_record(self, record: logging.LogRecord) -> str:
        """A message of the service, uvicorn or a library, without the newline."""
        ...

    def format_exchange(self, exchange: Exchange, level: int) -> bytes:
        """A request and its answer, with the newline."""
        ...


class JsonLines:
    """One object a line. `time` is UTC; for a request it is the time of the answer."""

    def format_record(self, record: logging.LogRecord) -> str:
        """See `Lines`; includes the `request_id` in the record's `extra`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request_id := getattr(record, "request_id", None)) is not None:
            line["request_id"] = request_id
        if (exception := _exception(record)) is not None:
            line["exception"] = exception
        return orjson.dumps(line, option=_UTC_Z, default=str).decode()

    def format_exchange(self, exchange: Exchange, level: int) -> bytes:
        """See `Lines`."""
        request_id, traceparent, method, path, route, status, began, seconds, decided, key = exchange
        second, fraction = divmod(began + seconds, 1)
        # Neither id needs escaping, and the rest is cached: it repeats from request to request.
        trace = "" if traceparent is None else f'"trace_id":"{traceparent[3:35]}",'
        rest = _repeating(level, method, path, route, status, decided, key)
        line = f'{{"time":"{_second(int(second))}.{int(fraction * 1e6):06}Z",{rest},"request_id":"{request_id}",{trace}'
        return f'{line}"seconds":{seconds:.6f}}}\n'.encode()


class TextLines:
    """Columns of text, in local time."""

    def format_record(self, record: logging.LogRecord) -> str:
        """See `Lines`."""
        text = f"{_clock(record.created)} {record.levelname.lower():7} {record.getMessage()}"
        exception = _exception(record)
        return text if exception is None else f"{text}\n{exception}"

    def format_exchange(self, exchange: Exchange, level: int) -> bytes:
        """See `Lines`."""
        path = exchange.path[:_MAX_PATH_CHARACTERS]
        words = [
            _clock(exchange.began + exchange.seconds),
            f"{logging.getLevelName(level).lower():7}",
            exchange.method,
            path if path.isprintable() else repr(path),
            str(exchange.status),
            f"{exchange.seconds * 1000:.1f} ms",
        ]
        if (decided := exchange.decided) is not None:
            counts = ", ".join(f"{count} {name}" for name, count in decided.decisions.items())
            words.append(f"{decided.model.name} {decided.policy}: {counts}")
        if exchange.key is not None:
            words.append(f"key {exchange.key}")
        words.append(exchange.request_id)
        return (" ".join(words) + "\n").encode()


class LinesHandler(logging.Handler):
    """Writes the records of `logging` as `Lines`."""

    def __init__(self, lines: Lines, writer: LogWriter) -> None:
        super().__init__()
        self._lines = lines
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        line = f"{self._lines.format_record(record)}\n"
        self._writer.write([line.encode(errors="backslashreplace")])


def lines_for(form: LogForm) -> Lines:
    """The format for a setting; `auto` is text on a terminal and JSON elsewhere."""
    return TextLines() if form == "text" or (form == "auto" and sys.stdout and sys.stdout.isatty()) else JsonLines()


def configure(form: LogForm, level: LogLevel, *, shared: bool) -> None:
    """Send all loggers to standard output: ours and uvicorn's from `level` up, those of libraries from warning up.

    `shared` says whether other processes of the service write there too.
    """
    writer = standard_output()
    writer.shared = shared
    root = logging.getLogger()
    root.handlers = [LinesHandler(lines_for(form), writer)]
    root.setLevel(logging.WARNING)
    for name in ("demur", "uvicorn"):
        logging.getLogger(name).setLevel(level.upper())
    for name in _BODY_LIBRARIES:
        logging.getLogger(name).setLevel(logging.CRITICAL)


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=512)
def _repeating(
    level: int, method: str, path: str, route: str, status: int, decided: Outcome | None, key: str | None
) -> str:
    """The part of a line that many requests share, without the braces."""
    line: dict[str, Any] = {
        "level": logging.getLevelName(level).lower(),
        "logger": "demur.requests",
        "method": method,
        "path": path[:_MAX_PATH_CHARACTERS],
        "route": route,
        "status": status,
    }
    if decided is not None:
        line["model"] = decided.model.name
        line["version"] = decided.model.version
        line["policy"] = str(decided.policy)
        line["decisions"] = decided.decisions
    if key is not None:
        line["key"] = key
    return orjson.dumps(line)[1:-1].decode()


def _clock(seconds: float) -> str:
    """The local time of day, to the millisecond."""
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S.%f")[:-3]


def _exception(record: logging.LogRecord) -> str | None:
    return _FORMATTER.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else None
