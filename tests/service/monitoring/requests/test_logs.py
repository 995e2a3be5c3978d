"""Log lines of messages and faults; test_request_log.py tests those of requests."""

import json
import logging
import sys

import pytest
from fastapi.testclient import TestClient

from service.monitoring.requests.logs import JsonLines, TextLines


def _record(message: str, *, failed: bool = False) -> logging.LogRecord:
    information = None
    if failed:
        try:
            raise ValueError("two\nlines")
        except ValueError:
            information = sys.exc_info()
    return logging.LogRecord("demur", logging.WARNING, __file__, 1, message, (), information)


def test_record_as_json_is_one_line() -> None:
    text = JsonLines().format_record(_record('a "quoted"\nmessage', failed=True))
    assert "\n" not in text
    line = json.loads(text)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "demur", 'a "quoted"\nmessage')
    assert line["exception"].startswith("Traceback")
    assert line["time"].endswith("Z")


def test_record_as_text() -> None:
    text = TextLines().format_record(_record("a message", failed=True))
    assert " warning a message\nTraceback" in text
    assert text.endswith("ValueError: two\nlines")


def test_fault_is_logged_once_with_the_id_of_its_request(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    client.app.state.registry = None  # type: ignore[attr-defined]
    with caplog.at_level(logging.ERROR):
        answer = client.get("/model", headers={"x-request-id": "the-one"})
    assert answer.status_code == 500
    (record,) = caplog.records
    line = json.loads(JsonLines().format_record(record))
    assert (line["request_id"], line["level"]) == ("the-one", "error")
