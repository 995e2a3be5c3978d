"""A span for every request, sent to an OpenTelemetry collector. This is an extra, and off by default.

OpenTelemetry's own environment variables, such as `OTEL_EXPORTER_OTLP_ENDPOINT` and `OTEL_TRACES_SAMPLER`, say where
the spans go and which are sampled.
"""

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

import service
from service.monitoring.requests.exchange import Exchange

_NANOSECONDS = 10**9
_SERVER_ERROR = 500  # and above


class Traces:
    """An `Observer`. A span continues the trace of its request, or begins one."""

    def __init__(self) -> None:
        attributes = {"service.name": "demur", "service.version": service.__version__}
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, merged last, win.
        self._provider = TracerProvider(resource=Resource(attributes).merge(Resource.create()))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("demur", service.__version__)
        self._propagator = TraceContextTextMapPropagator()

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Queue their spans; a thread sends them."""
        for exchange in exchanges:
            self._trace(exchange)

    def _trace(self, exchange: Exchange) -> None:
        parent = self._propagator.extract({"traceparent": exchange.traceparent or ""})
        span = self._tracer.start_span(
            f"{exchange.method} {exchange.route}",
            context=parent,
            kind=SpanKind.SERVER,
            attributes=_attributes(exchange),
            start_time=int(exchange.began * _NANOSECONDS),
        )
        if exchange.status >= _SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        span.end(int((exchange.began + exchange.seconds) * _NANOSECONDS))

    def close(self) -> None:
        """Send the spans that are still queued."""
        self._provider.shutdown()


def _attributes(exchange: Exchange) -> dict[str, AttributeValue]:
    """OpenTelemetry's semantic conventions for HTTP servers, and attributes of our own."""
    attributes: dict[str, AttributeValue] = {
        "http.request.method": exchange.method,
        "http.route": exchange.route,
        "http.response.status_code": exchange.status,
        "url.path": exchange.path,
        "demur.request_id": exchange.request_id,
    }
    if exchange.key is not None:
        attributes["demur.key"] = exchange.key
    if (decided := exchange.decided) is not None:
        attributes["demur.model.name"] = decided.model.name
        attributes["demur.model.version"] = decided.model.version
        attributes["demur.policy"] = str(decided.policy)
        attributes |= {f"demur.decisions.{name}": count for name, count in decided.decisions.items()}
    return attributes
