"""The sockets of a host: which clients reach them."""

import socket

import pytest

from service.http.server.addresses import bind


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", {"127.0.0.1"}),
        ("0.0.0.0", {"127.0.0.1"}),
        ("::1", {"::1"}),
        ("::", {"127.0.0.1", "::1"}),
    ],
)
def test_addresses_that_a_host_is_reached_at(host: str, reached: set[str]) -> None:
    if "::1" in reached and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    with bind(host, 0) as sockets:
        port = sockets[0].getsockname()[1]
        for one in sockets:
            one.listen()
        assert {address for address in ("127.0.0.1", "::1") if _answers(address, port)} == reached


def test_addresses_of_a_name_have_one_port() -> None:
    with bind("localhost", 0) as sockets:
        assert len({one.getsockname()[1] for one in sockets}) == 1


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True
