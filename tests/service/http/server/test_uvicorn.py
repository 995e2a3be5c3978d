"""What `service/http/server` relies on in uvicorn, beyond its documented interface.

The server overrides and reads uvicorn's internals. Where this test fails after an upgrade, read what changed in
uvicorn, adapt `service/http/server`, run its tests, then this list and the cap in pyproject.toml.
"""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState
from uvicorn.supervisors import Multiprocess, multiprocess

WHY = "uvicorn has changed where service/http/server overrides it: see tests/service/http/server/test_uvicorn.py"

# Methods that are overridden or called, with their parameters after `self`.
METHODS: dict[type, dict[str, str]] = {
    HttpToolsProtocol: {
        "__init__": "config server_state app_state _loop",
        "connection_made": "transport",
        "connection_lost": "exc",
        "data_received": "data",
        "send_400_response": "msg",
        "on_message_begin": "",
        "on_url": "url",
        "on_header": "name value",
        "on_headers_complete": "",
        "on_body": "body",
        "on_message_complete": "",
        "on_response_complete": "",
        "shutdown": "",
        "_start_asgi_task": "cycle app",
    },
    uvicorn.Server: {
        "__init__": "config",
        "run": "sockets",
        "startup": "sockets",
        "on_tick": "counter",
        "shutdown": "sockets",
        "handle_exit": "sig frame",
    },
    Multiprocess: {
        "__init__": "config sockets",
        "run": "",
        "init_processes": "",
        "keep_subprocess_alive": "",
        "handle_hup": "",
        "terminate_all": "",
        "join_all": "",
    },
    multiprocess.Process: {
        "__init__": "config sockets",
        "start": "",
        "target": "sockets",
        "join": "",
        "kill": "",
        "is_alive": "timeout",
        "ping": "timeout",
    },
}


@pytest.mark.parametrize(
    ("owner", "method", "parameters"),
    [(owner, method, parameters) for owner, methods in METHODS.items() for method, parameters in methods.items()],
)
def test_methods_have_their_signatures(owner: type, method: str, parameters: str) -> None:
    function: Callable[..., Any] | None = getattr(owner, method, None)
    assert function is not None, f"{owner.__name__}.{method} is gone: {WHY}"
    names = " ".join(list(inspect.signature(function).parameters)[1:])
    assert names == parameters, f"{owner.__name__}.{method} takes ({names}): {WHY}"


def _config() -> uvicorn.Config:
    async def app(scope: object, receive: object, send: object) -> None: ...

    return uvicorn.Config(app, log_config=None)


def _attributes(instance: object, names: str) -> None:
    missing = [name for name in names.split() if not hasattr(instance, name)]
    assert not missing, f"{type(instance).__name__} lacks {', '.join(missing)}: {WHY}"


def test_connection_has_its_attributes() -> None:
    asyncio.run(_check_connection())


async def _check_connection() -> None:
    state = ServerState()
    _attributes(state, "connections default_headers total_requests")
    protocol = HttpToolsProtocol(_config(), state, {"key": "value"})
    _attributes(protocol, "config app_state server_state loop parser transport flow cycle pipeline scope headers")
    assert protocol.app_state == {"key": "value"}, WHY
    protocol.on_message_begin()
    _attributes(protocol, "url")
    assert protocol.scope["state"] == {"key": "value"}, WHY
    assert protocol.scope["headers"] is protocol.headers, WHY
    _attributes(protocol.parser, "get_method get_http_version should_keep_alive")


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: object = None) -> object:
        del name
        return default


def test_connection_makes_a_cycle_for_each_request_and_writes_its_head_first() -> None:
    asyncio.run(_check_cycle())


async def _check_cycle() -> None:
    finished = asyncio.Event()

    async def app(scope: object, receive: object, send: Any) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        await send({"type": "http.response.body", "body": b"x"})
        finished.set()

    transport = _Transport()
    protocol = HttpToolsProtocol(uvicorn.Config(app, log_config=None), ServerState(), {})
    protocol.connection_made(transport)
    protocol.data_received(b"GET /path HTTP/1.1\r\nhost: a\r\n\r\n")
    cycle = protocol.cycle
    assert type(cycle) is RequestResponseCycle, WHY
    _attributes(cycle, "scope transport keep_alive response_complete disconnected message_event")
    _attributes(protocol.flow, "write_paused pause_reading resume_reading")
    await asyncio.wait_for(finished.wait(), 5)
    assert cycle.response_complete, WHY
    head, *bodies = transport.written
    assert head.startswith(b"HTTP/1.1 200 "), WHY  # `AnswerWrites` keeps the first write for the second
    assert head.endswith(b"\r\n\r\n"), WHY
    assert b"".join(bodies) == b"x", WHY
    protocol.connection_lost(None)


def test_server_has_its_attributes() -> None:
    server = uvicorn.Server(_config())
    _attributes(server, "config server_state started should_exit force_exit")
    source = inspect.getsource(uvicorn.Server)
    for used in ("self.lifespan = ", "self.servers = ", "app_state=self.lifespan.state", "self.handle_exit"):
        assert used in source, f"{used} is gone: {WHY}"


def test_supervisor_and_its_workers_have_their_attributes() -> None:
    source = inspect.getsource(Multiprocess)
    for used in ("self.processes", "self.sockets", "self.signal_queue", "Process(self.config, self.sockets)"):
        assert used in source, f"{used} is gone: {WHY}"
    process = multiprocess.Process(_config(), [])
    _attributes(process, "config process _server parent_conn child_conn")
    for name in ("pid", "exitcode", "server"):
        assert isinstance(getattr(multiprocess.Process, name), property), WHY


def test_version_is_capped_at_the_minor_that_this_list_was_written_for() -> None:
    assert uvicorn.__version__.startswith("0.54."), WHY
