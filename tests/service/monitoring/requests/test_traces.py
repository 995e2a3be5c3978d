"""Spans, as a collector receives them over OTLP."""

import http.server
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.server import ROOT, command_environment, free_port, serving

pytestmark = pytest.mark.process

IMAGE = {"inputs": [[255, 0]]}
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class _Collector(http.server.BaseHTTPRequestHandler):
    """Keeps the requests that it receives."""

    received: list[ExportTraceServiceRequest]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert self.path == "/v1/traces"
        self.received.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def _collecting() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    received: list[ExportTraceServiceRequest] = []
    handler = type("Collector", (_Collector,), {"received": received})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", received
        finally:
            server.shutdown()
            thread.join()


def _values(attributes: "list[KeyValue]") -> dict[str, str | int]:
    return {a.key: a.value.int_value if a.value.HasField("int_value") else a.value.string_value for a in attributes}


def test_collector_gets_a_span_for_every_request(tiny_model: Path) -> None:
    with _collecting() as (collector, received):
        settings = {"DEMUR_TRACES": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_SERVICE_NAME": "shop"}
        with serving(tiny_model, **settings) as server:
            for headers in ({"traceparent": f"00-{TRACE}-{PARENT}-01"}, {"connection": "close"}):
                answer = httpx2.post(f"{server.address}/predict", json=IMAGE, headers=headers)
                assert answer.status_code == 200
            httpx2.get(f"{server.address}/model", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
            httpx2.post(f"{server.address}/predict", json={})
            assert server.stop(signal.SIGTERM) == 0
    resource = _values(list(received[0].resource_spans[0].resource.attributes))
    assert resource["service.name"] == "shop"
    spans = [s for r in received for group in r.resource_spans for scope in group.scope_spans for s in scope.spans]
    first, second, refused = [span for span in spans if span.name == "POST /predict"]
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (TRACE, PARENT)
    assert second.trace_id.hex() != TRACE
    assert second.parent_span_id == b""
    for span in (first, second):
        assert span.kind == Span.SPAN_KIND_SERVER
        assert abs(span.start_time_unix_nano / 1e9 - time.time()) < 60
        assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 10e9
    attributes = _values(list(first.attributes))
    assert attributes.pop("demur.model.version") == answer.json()["model"]["version"]
    assert attributes == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "url.path": "/predict",
        "demur.request_id": TRACE,
        "demur.model.name": "tiny",
        "demur.policy": "never_abstain",
        "demur.decisions.answer": 1,
    }
    assert _values(list(refused.attributes))["http.response.status_code"] == 422
    assert refused.status.code == Status.STATUS_CODE_UNSET  # a client's fault is not the server's
    # The parent's flags exclude the third from sampling.
    assert "GET /model" not in {span.name for span in spans}


def test_missing_collector_delays_neither_answers_nor_the_stop(tiny_model: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with serving(tiny_model, DEMUR_TRACES="true", OTEL_EXPORTER_OTLP_ENDPOINT=nobody) as server:
        for _ in range(3):
            assert httpx2.post(f"{server.address}/predict", json=IMAGE, timeout=2).status_code == 200
        start = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - start < 15


@pytest.mark.parametrize(("traces", "missing"), [("true", True), ("false", False)])
def test_without_the_extra_traces_are_off_or_name_the_missing_package(
    tiny_model: Path, traces: str, missing: bool
) -> None:
    """The packages are hidden from the process as if they were not installed."""
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None; sys.modules['opentelemetry.exporter'] = None\n"
        "from service.app import create_app; from service.settings import Settings\n"
        "from service.contract.errors import SettingsError\n"
        "try: create_app(Settings.from_environment()); print('made')\n"
        "except SettingsError as error: print(error)"
    )
    environment = command_environment(DEMUR_MODEL_PATH=str(tiny_model), DEMUR_TRACES=traces, PYTHONPATH=str(ROOT))
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    expected = "is missing: pip install '.[serve,traces]'" if missing else "made"
    assert expected in result.stdout
