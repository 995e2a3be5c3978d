"""What HTTP demands of a request's head and the parser does not check: the version, the target, and one `Host`."""

import re
from collections.abc import Sequence

Header = tuple[bytes, bytes]  # the name in lower case

# RFC 9112, section 3.2.2, and the characters of RFC 3986's `host [":" port]`; an empty host is allowed.
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]+)(.*)", re.DOTALL)
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")


class HeadError(Exception):
    """A head that breaks HTTP's rules. The client gets the message."""


def is_host(value: bytes) -> bool:
    """Whether `value` may be that of a `Host` header.

    >>> is_host(b"demur.example:8000"), is_host(b"[::1]"), is_host(b"a/b")
    (True, True, False)
    """
    return _HOST.fullmatch(value) is not None


def checked(target: bytes, method: str, version: str, headers: Sequence[Header]) -> tuple[bytes, list[Header] | None]:
    """The target from its path on, and the headers if they change: the host of an absolute target is the request's.

    Raises HeadError.

    >>> checked(b"http://a?b", "GET", "1.1", [(b"host", b"c")])
    (b'/?b', [(b'host', b'a')])
    """
    if method == "CONNECT":
        raise HeadError("CONNECT is not supported: this is no proxy; send the request itself")
    if version not in ("1.0", "1.1"):
        raise HeadError(f"HTTP/{version} is not supported: send the request by HTTP/1.1")
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        raise HeadError(f"the request has {len(hosts) or 'no'} Host headers: send exactly one")
    if hosts and not is_host(hosts[0]):
        raise HeadError(f"Host: {hosts[0][:80].decode('latin-1')!r} is no host: send a name or an address, and a port")
    if target.startswith(b"/") or (target == b"*" and method == "OPTIONS"):
        return target, None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not is_host(absolute[1]):
        shown = target[:80].decode("latin-1")
        raise HeadError(f"the target {shown!r} is neither a path nor an HTTP URL: send a path that begins with /")
    others = [header for header in headers if header[0] != b"host"]
    rest = absolute[2]
    return rest if rest.startswith(b"/") else b"/" + rest, [(b"host", absolute[1]), *others]


def without_offer(target: bytes, method: bytes, version: str, headers: Sequence[Header]) -> bytes:
    """The head, but for its offer of another protocol, which a server may ignore (RFC 9110, section 7.8).

    >>> without_offer(b"/", b"GET", "1.1", [(b"host", b"a"), (b"upgrade", b"h2c")]).splitlines()
    [b'GET / HTTP/1.1', b'host: a', b'']
    """
    lines = [b"%b: %b\r\n" % header for header in headers if header[0] != b"upgrade"]
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version.encode(), b"".join(lines))
