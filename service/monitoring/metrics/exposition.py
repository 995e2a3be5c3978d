"""The text of `/metrics`: all counts as families of prometheus-client, encoded.

There is no registry of prometheus-client: each scrape builds its families anew from the counts. The families of the
promises are in `promises`.
"""

import platform
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector

import service
from service.monitoring.metrics.metrics import (
    CONFIDENCE,
    CONFIDENCES,
    DRAINING,
    DURATIONS,
    IN_FLIGHT,
    LOG_LINES_LOST,
    PID,
    REFUSED,
    REJECTED,
    RELOADS,
    REQUESTS,
    REQUESTS_OF_KEY,
    RESTARTS,
    SECONDS,
    SWAPPED,
    UNKNOWN_CATEGORIES,
)
from service.monitoring.metrics.promises import promises
from service.monitoring.metrics.scrape import Scrape
from service.monitoring.metrics.tallies import Numbers
from service.monitoring.monitor import Monitor


def expose(scrape: Scrape, accept: str) -> tuple[bytes, str]:
    """All families in the format that `accept` asks for, Prometheus' own or OpenMetrics, and its media type.

    This takes milliseconds; any thread may call it.
    """
    encode, media_type = choose_encoder(accept)
    with scrape.lock:
        return encode(_Collector(scrape)), media_type


class _Collector:
    """The collector interface that prometheus-client's encoders expect."""

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def collect(self) -> Iterable[Metric]:
        """All families, each name once."""
        counted = self._scrape.metrics.tallies.totals()
        monitors = self._scrape.registry.monitors()  # read once: a model may be swapped meanwhile
        yield from _service(self._scrape, counted)
        yield from _models(monitors, self._scrape.registry.refused, counted)
        yield from _requests(counted)
        yield from promises(self._scrape, [monitor for monitor in monitors.values() if monitor], counted)
        yield _histogram(
            "demur_confidence",
            "Confidence of the scored inputs, answered or abstained.",
            ["model"],
            CONFIDENCES,
            _labelled(counted, CONFIDENCE),
        )
        yield from _processes(self._scrape.metrics.tallies.by_worker())


def _service(scrape: Scrape, counted: Numbers) -> Iterator[Metric]:
    build = GaugeMetricFamily("demur_build_info", "The service's version; always 1.", labels=["version", "python"])
    build.add_metric([service.__version__, platform.python_version()], 1)
    yield build
    draining = counted[DRAINING,][0] > 0
    yield GaugeMetricFamily("demur_ready", "1 while /readyz answers 200, else 0.", int(not draining))
    yield GaugeMetricFamily("demur_draining", "1 while a worker is draining, else 0.", int(draining))
    yield GaugeMetricFamily("demur_workers", "Configured number of workers.", scrape.workers)
    restarts = counted[RESTARTS,][0]
    yield CounterMetricFamily("demur_worker_restarts", "Workers that replaced a dead one.", restarts)
    lost = counted[LOG_LINES_LOST,][0]
    yield CounterMetricFamily("demur_log_lines_lost", "Lines of the log that could not be written.", lost)


def _models(monitors: Mapping[str, Monitor | None], refused: Collection[str], counted: Numbers) -> Iterator[Metric]:
    info = GaugeMetricFamily("demur_model_info", "A served model; always 1.", labels=["model", "version", "kind"])
    ready = GaugeMetricFamily("demur_model_ready", "1 if the model passed its proof, else 0.", labels=["model"])
    file_refused = GaugeMetricFamily(
        "demur_model_file_refused",
        "1 while a newer file of a served model is refused, else 0.",
        labels=["model"],
    )
    reloads = CounterMetricFamily(
        "demur_model_reloads", "New model files that a worker swapped in or refused.", labels=["model", "outcome"]
    )
    unknown = CounterMetricFamily(
        "demur_unknown_categories", "Inputs with a value that is no category of the model's.", labels=["model"]
    )
    for name, monitor in monitors.items():
        unknown.add_metric([name], counted.get((UNKNOWN_CATEGORIES, name), [0])[0])
        ready.add_metric([name], int(monitor is not None))
        for outcome in (SWAPPED, REFUSED):
            reloads.add_metric([name, outcome], counted.get((RELOADS, name, outcome), [0])[0])
        if monitor is not None:
            info.add_metric([name, monitor.model.version, monitor.manifest.input.kind], 1)
            file_refused.add_metric([name], int(name in refused))
    yield from (info, ready, file_refused, reloads, unknown)


def _requests(counted: Numbers) -> Iterator[Metric]:
    requests = CounterMetricFamily("demur_requests", "Requests answered.", labels=["method", "route", "status"])
    for labels, (count,) in _labelled(counted, REQUESTS):
        requests.add_metric(labels, count)
    yield requests
    of_keys = CounterMetricFamily("demur_key_requests", "Requests answered, by API key.", labels=["key", "status"])
    for labels, (count,) in _labelled(counted, REQUESTS_OF_KEY):
        of_keys.add_metric(labels, count)
    yield of_keys
    yield _histogram(
        "demur_request_duration_seconds",
        "Time from a request's first byte to its answer's last.",
        ["route", "status"],
        SECONDS,
        _labelled(counted, DURATIONS),
    )
    rejected = CounterMetricFamily("demur_rejected", "Rejected requests and connections.", labels=["reason"])
    for labels, (count,) in _labelled(counted, REJECTED):
        rejected.add_metric(labels, count)
    yield rejected
    yield GaugeMetricFamily(
        "demur_requests_in_flight", "Requests in the application, this scrape included.", counted[IN_FLIGHT,][0]
    )


def _labelled(counted: Numbers, kind: str) -> Iterator[tuple[Sequence[str], list[float]]]:
    """The values of the labels, and the numbers, of one kind of count."""
    return ((key[1:], numbers) for key, numbers in sorted(counted.items()) if key[0] == kind)


def _histogram(
    name: str,
    documentation: str,
    labels: Sequence[str],
    edges: Sequence[float],
    counted: Iterable[tuple[Sequence[str], list[float]]],
) -> Metric:
    """A histogram from the counts of its bins, followed by the sum."""
    family = HistogramMetricFamily(name, documentation, labels=labels)
    bounds = [*map(repr, edges), "+Inf"]
    for values, (*bins, total) in counted:
        family.add_metric(values, list(zip(bounds, accumulate(bins), strict=True)), total)
    return family


def _processes(workers: Sequence[Numbers]) -> Iterator[Metric]:
    """The system's figures of each worker's process, under the names of prometheus-client."""
    families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
    for slot, numbers in enumerate(workers):
        pid = int(numbers.get((PID,), [0])[0])
        if not pid:
            continue
        for metric in _process(pid):
            kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            family = families.setdefault(metric.name, kind(metric.name, metric.documentation, labels=["worker"]))
            for sample in metric.samples:
                family.add_metric([str(slot)], sample.value)
    yield from families.values()


def _process(pid: int) -> Iterable[Metric]:
    """Figures of a process; none if it has ended, or without /proc."""
    return ProcessCollector(pid=lambda: pid, registry=None).collect()
