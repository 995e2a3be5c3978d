"""The addresses that the service listens on."""

import errno
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from service.contract.errors import SettingsError

_log = logging.getLogger("demur")


@contextmanager
def bind(host: str, port: int) -> Iterator[Sequence[socket.socket]]:
    """Sockets bound to every address of the host, on one port. They do not listen yet; they are closed at the end.

    `::` is every address of the machine, of IPv6 and of IPv4; `0.0.0.0` is those of IPv4 alone.

    Raises SettingsError with the next step where there is no such address, or another process has the port.
    """
    with ExitStack() as stack:
        bound: list[socket.socket] = []
        refused = None
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, kind, protocol, _, address in dict.fromkeys(addresses):
                if bound and not port:  # the free port that the first address got
                    address = (address[0], bound[0].getsockname()[1], *address[2:])
                try:
                    one = stack.enter_context(_bound(family, kind, protocol, address))
                except OSError as error:
                    if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                        raise
                    refused = error  # a name may have an IPv6 address on a machine without IPv6
                else:
                    bound.append(one)
        except OSError as error:
            raise _cannot_listen(host, port, error) from None
        if not bound:
            raise _cannot_listen(host, port, refused or OSError(errno.EADDRNOTAVAIL, "no address"))
        name = f"[{host}]" if ":" in host else host
        _log.info("serving on http://%s:%d (Ctrl-C to stop)", name, bound[0].getsockname()[1])
        yield bound


def _bound(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two services share the port
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a restart would have to wait for a minute
        if family == socket.AF_INET6:
            # The IPv4 address of a name has a socket of its own. Without this the system's default would decide.
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != "::")
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


def _cannot_listen(host: str, port: int, error: OSError) -> SettingsError:
    other = port + 1 if port < 65535 else port - 1
    match error.errno:
        case errno.EADDRINUSE:
            reason, remedy = (
                f"port {port} is in use",
                f"take another: demur serve --port {other}, or DEMUR_PORT={other}",
            )
        case errno.EACCES | errno.EPERM:
            reason, remedy = "no permission for this port", "take another: demur serve --port 8000, or DEMUR_PORT=8000"
        case _:
            reason, remedy = str(error.strerror), "name another host: demur serve --host 127.0.0.1, or DEMUR_HOST"
    return SettingsError(f"cannot listen on {host}:{port}: {reason}; {remedy}")
