"""Hostile and slow clients: each request is refused, and each connection closed."""

import asyncio
import itertools
import random
import socket
from collections.abc import Callable, Iterator

from tests.fuzz import spoilt
from tests.soak.connection import Connection, Lost
from tests.soak.models import ROWS
from tests.soak.tally import Counts, Tally, reason_of

_BATCH = 300  # bad requests drawn at a time
_BYTE_SECONDS = 0.5
# Longer than the services allow a request to take.
_MAX_SECONDS = 30
_RESTARTING = "just restarted"


async def send_bad_bodies(port: int, model: str, tally: Tally, seed: int, should_continue: Callable[[], bool]) -> None:
    """Send complete requests with bodies that no reader may accept."""
    draw, counts = random.Random(seed), tally.client("bad bodies")
    async with Connection(port) as connection:
        while should_continue():
            for path, body, headers in spoilt.bodies(_BATCH, model, draw):
                if not should_continue():
                    break
                lines = [f"POST {path} HTTP/1.1", "Host: demur", f"Content-Length: {len(body)}"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                counts.sent += 1
                try:
                    answer = await connection.ask("\r\n".join([*lines, "", ""]).encode() + body)
                except Lost as loss:
                    tally.lost(counts, f"{path}, {body[:50]!r}: {loss}")
                    continue
                if 400 <= answer.status < 500 or _overloaded(answer.status, answer.headers):
                    counts.refused[reason_of(answer)] += 1
                else:
                    tally.wrong(counts, f"{path}, {body[:50]!r}: {answer.status} {answer.body[:300]!r}")


async def send_bad_bytes(ports: list[int], tally: Tally, seed: int, should_continue: Callable[[], bool]) -> None:
    """Send invalid HTTP directly to the services."""
    draw, counts = random.Random(seed), tally.client("bytes that are hardly HTTP")
    while should_continue():
        for raw, port in zip(spoilt.streams(_BATCH, draw), itertools.cycle(ports), strict=False):
            if not should_continue():
                break
            counts.sent += 1
            try:
                response = await asyncio.wait_for(_response_to(port, raw), _MAX_SECONDS)
            except TimeoutError:
                tally.wrong(counts, f"{raw!r} was held for {_MAX_SECONDS} seconds")
            except OSError:
                counts.refused[_RESTARTING] += 1
            else:
                _count(response, raw, counts, tally)


async def send_slowly(port: int, tally: Tally, should_continue: Callable[[], bool]) -> None:
    """Send a request that arrives a byte at a time and never ends."""
    counts = tally.client("slow senders")
    while should_continue():
        counts.sent += 1
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            counts.refused[_RESTARTING] += 1
            await asyncio.sleep(_BYTE_SECONDS)
            continue
        try:
            async with asyncio.timeout(_MAX_SECONDS):
                ended = asyncio.ensure_future(reader.read())
                for byte in _endless(body=counts.sent % 2 == 0):
                    if ended.done() or not should_continue():
                        break
                    writer.write(byte)
                    await asyncio.wait([ended], timeout=_BYTE_SECONDS)
            if ended.done():
                counts.cut_off += 1
                ended.exception()
            else:
                ended.cancel()
                counts.refused["end of the run"] += 1
        except TimeoutError:
            tally.wrong(counts, f"one was held for {_MAX_SECONDS} seconds")
        except OSError:
            counts.cut_off += 1
        finally:
            writer.transport.abort()


async def read_slowly(port: int, tally: Tally, should_continue: Callable[[], bool]) -> None:
    """Request large answers on one connection and do not read them."""
    counts = tally.client("slow readers")
    body = ROWS[:1].tobytes() * 1000
    head = b"POST /models/table/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    message = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    while should_continue():
        counts.sent += 1
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            try:
                await loop.sock_connect(raw, ("127.0.0.1", port))
            except OSError:
                counts.refused[_RESTARTING] += 1
                await asyncio.sleep(1)
                continue
            try:
                async with asyncio.timeout(_MAX_SECONDS):
                    while should_continue():  # until the service reads no more, and then closes the connection
                        await loop.sock_sendall(raw, message)
                    counts.refused["end of the run"] += 1
            except TimeoutError:
                tally.wrong(counts, f"one was held for {_MAX_SECONDS} seconds")
            except OSError:
                counts.cut_off += 1


async def _response_to(port: int, raw: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(raw)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.transport.abort()


def _endless(body: bool) -> Iterator[bytes]:
    """The bytes of an endless request: an endless head, or a complete head with an endless body."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    if body:
        yield head + b"Content-Length: 100000\r\n\r\n"
    for byte in itertools.cycle(b" ") if body else itertools.chain(head, itertools.cycle(b"A: b\r\n")):
        yield bytes([byte])


def _count(response: bytes, raw: bytes, counts: Counts, tally: Tally) -> None:
    status = response.partition(b"\r\n")[0].split(b" ")[1:2]
    if not status:
        counts.cut_off += 1
    elif status[0] == b"200":
        counts.answered += 1  # the changed byte has no meaning
    elif status[0].startswith(b"4") or status[0] == b"503":
        counts.refused[status[0].decode()] += 1
    else:
        tally.wrong(counts, f"{raw!r}: {response[:300]!r}")


def _overloaded(status: int, headers: dict[bytes, bytes]) -> bool:
    return status == 503 and b"retry-after" in headers
