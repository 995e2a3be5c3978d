"""A span for every request, for an OpenTelemetry collector: an extra, and off unless it is asked for.

Where the spans go and which are kept is OpenTelemetry's own affair: `OTEL_EXPORTER_OTLP_ENDPOINT`,
`OTEL_TRACES_SAMPLER` and the rest of its environment variables.
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
_FAULT = 500  # the least status that is an error of the server's


class Traces:
    """An `Observer`. A span belongs to the trace that the request names, and begins one where it names none."""

    def __init__(self) -> None:
        about = {"service.name": "demur", "service.version": service.__version__}
        # Later ones go before: what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say is kept.
        self._provider = TracerProvider(resource=Resource(about).merge(Resource.create()))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("demur", service.__version__)
        self._propagator = TraceContextTextMapPropagator()

    def __call__(self, exchanges: Sequence[Exchange]) -> None:
        """Hand their spans over; a thread sends them."""
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
        if exchange.status >= _FAULT:
            span.set_status(Status(StatusCode.ERROR))
        span.end(int((exchange.began + exchange.seconds) * _NANOSECONDS))

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()


def _attributes(exchange: Exchange) -> dict[str, AttributeValue]:
    """By OpenTelemetry's semantic conventions for HTTP servers, and ours."""
    found: dict[str, AttributeValue] = {
        "http.request.method": exchange.method,
        "http.route": exchange.route,
        "http.response.status_code": exchange.status,
        "url.path": exchange.path,
        "demur.request_id": exchange.request_id,
    }
    if exchange.key is not None:
        found["demur.key"] = exchange.key
    if (decided := exchange.decided) is not None:
        found["demur.model.name"] = decided.model.name
        found["demur.model.version"] = decided.model.version
        found["demur.policy"] = str(decided.policy)
        found |= {f"demur.decisions.{name}": count for name, count in decided.decisions.items()}
    return found
