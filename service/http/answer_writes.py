"""An answer's head and the first of its body, written to the socket as one.

uvicorn writes the one and then the other. A process that is killed in between leaves its client, or the proxy before
it, with an answer that has no body; and a write takes as long as reading a small image does.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class AnswerWrites(asyncio.Transport):
    """What the cycle of one request takes for its connection: the head waits here for what comes after it."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        super().__init__()
        self._cycle = cycle
        self._transport = cycle.transport
        self._begun = cycle.scope["method"] == "HEAD"  # where nothing comes after it
        self._head: bytes | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write `data`, but keep the head, which is the first that comes of an answer."""
        if self._head is not None:
            self._transport.writelines([self._head, data])
            self._head = None
        elif self._cycle.response_started and not self._begun:  # before it `100 Continue` may be written
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
