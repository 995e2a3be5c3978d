"""Writes an answer's head together with the first part of its body.

uvicorn writes them one after the other. If the process is killed in between, the client, or the proxy before it, gets
an answer without a body. And a write takes as long as reading a small image.
"""

import asyncio

_CONTINUE = b"HTTP/1.1 100 "  # may be written before the head


class AnswerWrites(asyncio.Transport):
    """The transport of one answer, which holds the head back until the next write."""

    def __init__(self, transport: asyncio.Transport, method: str) -> None:
        super().__init__()
        self._transport = transport
        self._begun = method == "HEAD"  # an answer without a body
        self._head: bytes | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data`, or hold it back if it is the head."""
        if self._head is not None:
            self._transport.writelines([self._head, data])
            self._head = None
        elif not self._begun and not bytes(data).startswith(_CONTINUE):
            self._begun, self._head = True, bytes(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection after all that was written; a head without a body, if the body failed."""
        if self._head is not None:
            self.write(b"")
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is closed or closing."""
        return self._transport.is_closing()
