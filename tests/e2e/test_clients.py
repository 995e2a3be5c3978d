"""The stock clients of `tests/clients` against the built image, confined as compose and Kubernetes confine it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.asking import CLIENTS, ask_by
from tests.e2e.engine import call, wait_until_ready
from tests.server import free_port

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def address(tiny_model: Path) -> Iterator[str]:
    """A container with the tiny model, and its address."""
    call(["docker", "build", "--target", "serve", "--tag", "demur-serve", "."])
    tiny_model.chmod(0o644)  # for the image's user
    port = free_port()
    confined = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    mounted = ["--volume", f"{tiny_model}:/models/model.onnx:ro", "--publish", f"127.0.0.1:{port}:8000"]
    container = call(["docker", "run", "--detach", *confined, *mounted, "demur-serve"]).stdout.strip()
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(address, lambda: call(["docker", "logs", container]).stderr)
        yield address
    finally:
        call(["docker", "rm", "--force", "--volumes", container])


@pytest.mark.parametrize("client", CLIENTS)
def test_stock_client_gets_its_answers_from_the_container(address: str, client: str) -> None:
    ask_by(client, address)
