"""A client connection that reports for each request whether it was answered or lost."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self


class Lost(Exception):
    """No complete answer arrived: the connection was refused, reset or closed, or the time ran out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, with the names of headers in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Connection:
    """Kept open between requests, and reopened if the other side announced that it closes."""

    def __init__(self, port: int, patience_seconds: float = 30) -> None:
        self._port = port
        self._patience = patience_seconds
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def ask(self, message: bytes) -> Answer:
        """Send a request's bytes and read the answer. Raises Lost."""
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._ask(message)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError) as error:
            self.close()
            raise Lost(f"{type(error).__name__}: {error}") from None
        if answer.headers.get(b"connection", b"").lower() == b"close":
            self.close()
        return answer

    def close(self) -> None:
        """Abort the connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _ask(self, message: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(message)
        await writer.drain()
        first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        pairs = (line.split(b":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        length = headers.get(b"content-length")
        body = await (_chunks(reader) if length is None else reader.readexactly(int(length)))
        return Answer(int(first.split(b" ")[1]), headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a chunked body, as nginx sends one that it had to keep in a file."""
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body
