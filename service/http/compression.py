"""Compressed bodies of inference requests and of their answers: gzip and deflate, held to a limit."""

import zlib

from service.contract.errors import MalformedBody, TooLarge, UnsupportedType

# The window's size, and which wrapping zlib is to expect or to write.
_WINDOW = {"gzip": 31, "deflate": 15}
_LEAST_BYTES = 1024  # a smaller answer is not worth it


def decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The body as it was, at most `max_bytes` of it. Raises UnsupportedType, MalformedBody or TooLarge.

    >>> decompressed(zlib.compress(b"abc"), "deflate", 3)
    b'abc'
    """
    if encoding == "identity":
        return body
    if encoding not in _WINDOW:
        raise UnsupportedType(f"content encoding {encoding[:80]} is not taken: {', '.join(_WINDOW)} are")
    stream = zlib.decompressobj(_WINDOW[encoding])
    try:
        whole = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise MalformedBody(f"the body is not {encoding}: {error}") from None
    if len(whole) > max_bytes:
        raise TooLarge(f"the body has more than {max_bytes} bytes when decompressed: at most {max_bytes} are taken")
    if not stream.eof or stream.unused_data:
        raise MalformedBody(f"the body is not one whole {encoding} stream")
    return whole


def encoding_for(accept_encoding: str, body: bytes) -> str | None:
    """How an answer is compressed for a client that says what it takes; None where it is not.

    >>> encoding_for("br, gzip;q=0, deflate", bytes(2000)), encoding_for("gzip", b"short")
    ('deflate', None)
    """
    if len(body) < _LEAST_BYTES:
        return None
    for part in accept_encoding.lower().split(","):
        name, _, quality = part.replace(" ", "").partition(";q=")
        if name in _WINDOW and (not quality or quality.strip("0.")):  # a quality of 0 refuses
            return name
    return None


def compressed(body: bytes, encoding: str) -> bytes:
    """The body, quickly compressed."""
    stream = zlib.compressobj(1, zlib.DEFLATED, _WINDOW[encoding])
    return stream.compress(body) + stream.flush()
