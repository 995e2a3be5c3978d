"""Stock clients of the standard protocols, unmodified, against a local service or the one at `--address`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.asking import CLIENTS, ask_by
from tests.server import serving

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def address(request: pytest.FixtureRequest, tiny_model: Path) -> Iterator[str]:
    """The address of a service with the tiny model."""
    option: str | None = request.config.getoption("--address")
    if option is not None:
        yield option.removesuffix("/")
        return
    with serving(tiny_model) as server:
        yield server.address


@pytest.mark.parametrize("client", CLIENTS)
def test_stock_client_gets_its_answers(address: str, client: str) -> None:
    ask_by(client, address)
