"""Refusals that a connection writes itself: the application has not seen the request, or has no time for it."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from service.http import security_headers
from service.http.problems import MEDIA_TYPE, is_standard
from service.http.schemas.problem import ProblemDetails

_ID = "0"  # in the place of the id, which is the last of a body, so that the rest is written once


class Refusal:
    """One kind of refusal, written but for what is another in each answer."""

    def __init__(self, status: HTTPStatus, detail: str, *headers: tuple[str, str]) -> None:
        self.status = int(status)
        said = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self._more: Sequence[tuple[bytes, bytes]] = ()
        self._lines = b""
        said += security_headers.LINES.decode()
        head = f"HTTP/1.1 {int(status)} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n{said}"
        body = ProblemDetails(title=status.phrase, status=int(status), detail=detail, request_id=_ID)
        text = body.model_dump_json(exclude_none=True)
        end = text.rindex(_ID)
        self._body = text[:end].encode(), text[end + len(_ID) :].encode()
        self._head = head.encode()
        self._length = len(text) - len(_ID)
        self._standard = head.replace(MEDIA_TYPE, "application/json").encode(), json.dumps({"error": detail}).encode()

    def written(self, request_id: str, path: str, more: Sequence[tuple[bytes, bytes]], *, close: bool) -> bytes:
        """The whole answer to a request for `path`, with `more` headers; `close` says that the connection ends."""
        own_id = request_id.encode()
        head, body = self._head, b"%b%b%b" % (self._body[0], own_id, self._body[1])
        if is_standard(path):
            head, body = self._standard
        if more is not self._more:  # which is the same list for a second
            self._more, self._lines = more, b"".join([b"%b: %b\r\n" % header for header in more])
        end = b"connection: close\r\n" if close else b""
        return b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
            head,
            self._lines,
            own_id,
            len(body),
            end,
            body,
        )
