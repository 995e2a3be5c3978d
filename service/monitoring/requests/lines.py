"""How a line of the log looks: JSON for machines, words for a person at a terminal."""

import logging
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import orjson

from service.inference.outcome import Outcome
from service.monitoring.requests.exchange import Exchange

_MOST_OF_A_PATH = 200  # characters
_UTC_Z = orjson.OPT_UTC_Z
_FORMATTER = logging.Formatter()  # of exceptions


class Lines(Protocol):
    """One form of the log."""

    def of_record(self, record: logging.LogRecord) -> str:
        """What the service, uvicorn or a library says, without the newline."""
        ...

    def of_exchange(self, exchange: Exchange, level: int) -> bytes:
        """A request and its answer, with the newline."""
        ...


class JsonLines:
    """An object a line. `time` is UTC; of a request it is the time of its answer."""

    def of_record(self, record: logging.LogRecord) -> str:
        """As `Lines`; with the `request_id` that `extra` names."""
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

    def of_exchange(self, exchange: Exchange, level: int) -> bytes:
        """As `Lines`."""
        request_id, traceparent, method, path, route, status, began, seconds, decided, key = exchange
        second, fraction = divmod(began + seconds, 1)
        # Both ids are of characters that stand in JSON as they are; all else is the same again and again.
        trace = "" if traceparent is None else f'"trace_id":"{traceparent[3:35]}",'
        rest = _rest(level, method, path, route, status, decided, key)
        line = f'{{"time":"{_second(int(second))}.{int(fraction * 1e6):06}Z",{rest},"request_id":"{request_id}",{trace}'
        return f'{line}"seconds":{seconds:.6f}}}\n'.encode()


class TextLines:
    """Words in columns, in the time of the place."""

    def of_record(self, record: logging.LogRecord) -> str:
        """As `Lines`."""
        text = f"{_clock(record.created)} {record.levelname.lower():7} {record.getMessage()}"
        exception = _exception(record)
        return text if exception is None else f"{text}\n{exception}"

    def of_exchange(self, exchange: Exchange, level: int) -> bytes:
        """As `Lines`."""
        path = exchange.path[:_MOST_OF_A_PATH]
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


class LineFormatter(logging.Formatter):
    """Puts `logging`'s records into lines."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def format(self, record: logging.LogRecord) -> str:
        """One record, without the newline."""
        return self._lines.of_record(record)


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=512)
def _rest(level: int, method: str, path: str, route: str, status: int, decided: Outcome | None, key: str | None) -> str:
    """What of a line is the same for many requests, without the braces."""
    line: dict[str, Any] = {
        "level": logging.getLevelName(level).lower(),
        "logger": "demur.requests",
        "method": method,
        "path": path[:_MOST_OF_A_PATH],
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
    """A time of the day, to the millisecond."""
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S.%f")[:-3]


def _exception(record: logging.LogRecord) -> str | None:
    return _FORMATTER.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else None
