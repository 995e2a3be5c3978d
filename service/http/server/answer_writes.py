"""An answer's head and the first of its body, written to the socket as one.

uvicorn writes the one and then the other. A process that is killed in between leaves its client, or the proxy before
it, with an answer that has no body; and a write takes as long as reading a small image does.
"""

import asyncio

_GO_ON = b"HTTP/1.1 100 "  # what may be written before the head


class AnswerWrites(asyncio.Transport):
    """What is given for the connection to one answer: its head waits here for what comes after it."""

    def __init__(self, transport: asyncio.Transport, method: str) -> None:
        super().__init__()
        self._transport = transport
        self._begun = method == "HEAD"  # where nothing comes after it
        self._head: bytes | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data`, but keep the head, which is the first that comes of an answer."""
        if self._head is not None:
            self._transport.writelines([self._head, data])
            self._head = None
        elif not self._begun and not bytes(data).startswith(_GO_ON):
            self._begun, self._head = True, bytes(data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection after what has been written, which may be a head alone where the body failed."""
        if self._head is not None:
            self.write(b"")
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is closed, or will be."""
        return self._transport.is_closing()
