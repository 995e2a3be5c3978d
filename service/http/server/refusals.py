"""Refusals that a connection writes itself, because the application does not see the request."""

import json
from collections.abc import Sequence
from http import HTTPStatus

from service.http import security_headers
from service.http.problems import MEDIA_TYPE, is_standard
from service.http.schemas.problem import ProblemDetails

_ID = "0"  # a placeholder for the request id, which stands last in a body


class Refusal:
    """One kind of refusal, prepared but for the parts that differ from answer to answer."""

    def __init__(self, status: HTTPStatus, detail: str, *headers: tuple[str, str]) -> None:
        self.status, self.detail = int(status), detail
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers) + security_headers.LINES.decode()
        self._dated_headers: Sequence[tuple[bytes, bytes]] = ()
        self._dated_lines = b""
        head = f"HTTP/1.1 {int(status)} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\n{lines}"
        body = ProblemDetails(title=status.phrase, status=int(status), detail=detail, request_id=_ID)
        text = body.model_dump_json(exclude_none=True)
        end = text.rindex(_ID)
        self._body = text[:end].encode(), text[end + len(_ID) :].encode()
        self._head = head.encode()
        self._standard = head.replace(MEDIA_TYPE, "application/json").encode(), json.dumps({"error": detail}).encode()

    def response(
        self, request_id: str, path: str, dated_headers: Sequence[tuple[bytes, bytes]], *, close: bool
    ) -> bytes:
        """The answer to a request for `path`, with `dated_headers`; `close` announces the end of the connection."""
        encoded_id = request_id.encode()
        head, body = self._head, b"%b%b%b" % (self._body[0], encoded_id, self._body[1])
        if is_standard(path):
            head, body = self._standard
        if dated_headers is not self._dated_headers:  # uvicorn's list, which is the same for a second
            self._dated_headers = dated_headers
            self._dated_lines = b"".join([b"%b: %b\r\n" % header for header in dated_headers])
        end = b"connection: close\r\n" if close else b""
        return b"%b%bx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
            head,
            self._dated_lines,
            encoded_id,
            len(body),
            end,
            body,
        )
