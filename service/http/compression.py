"""Compressed request bodies and answers, gzip and deflate, within a size limit."""

import zlib

from service.contract.errors import MalformedBody, TooLarge, UnsupportedType

# The `wbits` of zlib: window size and container format.
_WINDOW = {"gzip": 31, "deflate": 15}
_MIN_BYTES = 1024  # a smaller answer is not worth compressing


def decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The decompressed body, at most `max_bytes`. Raises UnsupportedType, MalformedBody or TooLarge.

    >>> decompressed(zlib.compress(b"abc"), "deflate", 3)
    b'abc'
    """
    if encoding == "identity":
        return body
    if encoding not in _WINDOW:
        raise UnsupportedType(f"content encoding {encoding[:80]} is not supported: use one of {', '.join(_WINDOW)}")
    stream = zlib.decompressobj(_WINDOW[encoding])
    try:
        plain = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise MalformedBody(f"the body is not {encoding}: {error}") from None
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
    if len(body) < _MIN_BYTES:
        return None
    for part in accept_encoding.lower().split(","):
        name, _, quality = part.replace(" ", "").partition(";q=")
        if name in _WINDOW and (not quality or quality.strip("0.")):  # a quality of 0 means not acceptable
            return name
    return None


def compressed(body: bytes, encoding: str) -> bytes:
    """The body, compressed at the fastest level."""
    stream = zlib.compressobj(1, zlib.DEFLATED, _WINDOW[encoding])
    return stream.compress(body) + stream.flush()
