"""Compressed request bodies and answers, gzip and deflate, within a size limit."""

import zlib
from functools import lru_cache

from service.contract.errors import MalformedBody, TooLarge, UnsupportedType
from service.http.negotiation import LONGEST, weights

# The `wbits` of zlib: window size and container format.
_WINDOW = {"gzip": 31, "deflate": 15}
_MIN_BYTES = 1024  # a smaller answer is not worth compressing


def decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The decompressed body, at most `max_bytes`. Raises UnsupportedType, MalformedBody or TooLarge.

    >>> decompressed(zlib.compress(b"abc"), "deflate", 3)
    b'abc'
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in _WINDOW:
        raise UnsupportedType(f"content encoding {encoding[:80]} is not supported: use one of {', '.join(_WINDOW)}")
    stream = zlib.decompressobj(_WINDOW[encoding])
    try:
        plain = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        container = " (RFC 1950)" if encoding == "deflate" else ""  # some clients leave it out
        raise MalformedBody(f"the body is not {encoding}{container}: {error}") from None
    if len(plain) > max_bytes:
        raise TooLarge(f"the body has more than {max_bytes} bytes when decompressed: at most {max_bytes} are allowed")
    if not stream.eof or stream.unused_data:
        raise MalformedBody(f"the body is not one complete {encoding} stream")
    return plain


def encoding_for(accept_encoding: str, body: bytes) -> str | None:
    """The encoding of an answer for a client's `Accept-Encoding`; None for no compression.

    >>> encoding_for("br, gzip;q=0, deflate", bytes(2000)), encoding_for("gzip", b"short")
    ('deflate', None)
    """
    return None if len(body) < _MIN_BYTES else _preferred(accept_encoding[:LONGEST])


@lru_cache(maxsize=256)  # clients repeat their headers
def _preferred(accept_encoding: str) -> str | None:
    """The first of the encodings of the highest weight, unless the client prefers none.

    >>> _preferred("gzip;q=0.5, deflate"), _preferred("gzip;q=0.5, identity"), _preferred("*;q=0, gzip;q=0.000")
    ('deflate', None, None)
    """
    weighted = weights(accept_encoding)
    ours = [name for name, weight in weighted.items() if name in _WINDOW and weight]
    best = max(ours, key=weighted.__getitem__, default=None)
    return best if best is not None and weighted[best] >= weighted.get("identity", 0) else None


def compressed(body: bytes, encoding: str) -> bytes:
    """The body, compressed at the fastest level."""
    stream = zlib.compressobj(1, zlib.DEFLATED, _WINDOW[encoding])
    return stream.compress(body) + stream.flush()
