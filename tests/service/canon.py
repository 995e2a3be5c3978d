"""Asserts that an error is problem details, and reveals nothing internal."""

import re
from typing import Any

import httpx2

# RFC 9110's names; before 3.13, Python's table has other names for 413 and 422.
TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
KEYS = {"type", "title", "status", "detail", "request_id"}


def assert_problem(response: httpx2.Response, status: int, *fragments: str) -> dict[str, Any]:
    """Assert that `response` is problem details of `status` whose detail holds all `fragments`; return its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert set(body) in (KEYS, KEYS | {"errors"})
    assert body["status"] == status
    assert body["title"] == TITLES.get(status, body["title"])
    assert body["request_id"] == response.headers["x-request-id"]
    for fragment in fragments:
        assert fragment in body["detail"]
    for error in body.get("errors", []):
        assert error["field"]
        assert error["detail"] in body["detail"]
    # Nothing internal: no traceback, no path.
    assert not re.search(r"Traceback|File \"|/site-packages/|\.py\b", response.text)
    return body
