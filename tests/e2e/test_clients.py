"""The stock clients of `tests/clients` against the built image, confined as compose and Kubernetes confine it.

It is started with the image's own command, and as by KServe with deploy/kserve/runtime.yaml.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.asking import CLIENTS, ask_by
from tests.e2e.engine import CONFINED, call, wait_until_ready
from tests.kserve.environment import environment
from tests.server import free_port

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module", params=["alone", "kserve"])
def address(request: pytest.FixtureRequest, tiny_model: Path) -> Iterator[str]:
    """The address of a container with the tiny model."""
    by_kserve = environment("tiny") if request.param == "kserve" else {}
    model = by_kserve.get("DEMUR_MODEL_PATH", "/models/model.onnx")
    call(["docker", "build", "--target", "serve", "--tag", "demur-serve", "."])
    tiny_model.chmod(0o644)  # for the image's user
    port = free_port()
    mounted = ["--volume", f"{tiny_model}:{model}:ro"]
    published = ["--publish", f"127.0.0.1:{port}:{by_kserve.get('DEMUR_PORT', '8000')}"]
    variables = [word for name, value in by_kserve.items() for word in ("--env", f"{name}={value}")]
    command = ["docker", "run", "--detach", *CONFINED, *mounted, *published, *variables, "demur-serve"]
    container = call(command).stdout.strip()
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_ready(address, lambda: call(["docker", "logs", container]).stderr)
        yield address
    finally:
        call(["docker", "rm", "--force", "--volumes", container])


@pytest.mark.parametrize("client", CLIENTS)
def test_stock_client_gets_its_answers_from_the_container(address: str, client: str) -> None:
    ask_by(client, address)
