"""What Prometheus reads: all that was counted, as families of prometheus-client, and the text of them.

Nothing is kept in a registry of prometheus-client: each scrape makes its families anew, from what there is. Those of
the promises are in `promises`.
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
    PID,
    REFUSED,
    REJECTED,
    RELOADS,
    REQUESTS,
    REQUESTS_OF_KEY,
    RESTARTS,
    SECONDS,
    SWAPPED,
)
from service.monitoring.metrics.promises import promises
from service.monitoring.metrics.scrape import Scrape
from service.monitoring.metrics.tallies import Numbers
from service.monitoring.monitor import Monitor


def expose(scrape: Scrape, accept: str) -> tuple[bytes, str]:
    """All families in the form that `accept` asks for, Prometheus' own or OpenMetrics, and its media type.

    Takes some milliseconds; safe to call in any thread.
    """
    encode, media_type = choose_encoder(accept)
    with scrape.lock:
        return encode(_Collector(scrape)), media_type


class _Collector:
    """What an encoder of prometheus-client asks."""

    def __init__(self, scrape: Scrape) -> None:
        self._scrape = scrape

    def collect(self) -> Iterable[Metric]:
        """All families, each name once."""
        counted = self._scrape.metrics.tallies.of_all()
        monitors = self._scrape.registry.monitors()  # those of now, whatever is swapped meanwhile
        yield from _service(self._scrape, counted)
        yield from _models(monitors, self._scrape.registry.refused, counted)
        yield from _requests(counted)
        yield from promises(self._scrape, [monitor for monitor in monitors.values() if monitor], counted)
        yield _histogram(
            "demur_confidence",
            "Confidence of the inputs scored, answered or not.",
            ["model"],
            CONFIDENCES,
            _labelled(counted, CONFIDENCE),
        )
        yield from _processes(self._scrape.metrics.tallies.of_each_worker())


def _service(scrape: Scrape, counted: Numbers) -> Iterator[Metric]:
    build = GaugeMetricFamily("demur_build_info", "The service's version; always 1.", labels=["version", "python"])
    build.add_metric([service.__version__, platform.python_version()], 1)
    yield build
    draining = counted[DRAINING,][0] > 0
    yield GaugeMetricFamily("demur_ready", "Whether the service takes requests, as /readyz says.", int(not draining))
    yield GaugeMetricFamily("demur_draining", "Whether a worker is stopping.", int(draining))
    yield GaugeMetricFamily("demur_workers", "Workers that there are to be.", scrape.workers)
    restarts = counted[RESTARTS,][0]
    yield CounterMetricFamily("demur_worker_restarts", "Workers started in a dead one's stead.", restarts)


def _models(monitors: Mapping[str, Monitor | None], refused: Collection[str], counted: Numbers) -> Iterator[Metric]:
    info = GaugeMetricFamily("demur_model_info", "A model that serves; always 1.", labels=["model", "version", "kind"])
    ready = GaugeMetricFamily("demur_model_ready", "Whether a model has passed its proof.", labels=["model"])
    other = GaugeMetricFamily(
        "demur_model_file_refused",
        "Whether a model serves while another file in its place was refused.",
        labels=["model"],
    )
    reloads = CounterMetricFamily(
        "demur_model_reloads", "Other files that a worker has swapped in, or refused.", labels=["model", "outcome"]
    )
    for name, monitor in monitors.items():
        ready.add_metric([name], int(monitor is not None))
        for outcome in (SWAPPED, REFUSED):
            reloads.add_metric([name, outcome], counted.get((RELOADS, name, outcome), [0])[0])
        if monitor is not None:
            info.add_metric([name, monitor.model.version, monitor.manifest.input.kind], 1)
            other.add_metric([name], int(name in refused))
    yield from (info, ready, other, reloads)


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
        "From a request's first byte to its answer's last.",
        ["route", "status"],
        SECONDS,
        _labelled(counted, DURATIONS),
    )
    rejected = CounterMetricFamily("demur_rejected", "Requests and connections turned away.", labels=["reason"])
    for labels, (count,) in _labelled(counted, REJECTED):
        rejected.add_metric(labels, count)
    yield rejected
    yield GaugeMetricFamily(
        "demur_requests_in_flight", "Requests that the application works on, a scrape too.", counted[IN_FLIGHT,][0]
    )


def _labelled(counted: Numbers, what: str) -> Iterator[tuple[Sequence[str], list[float]]]:
    """The values of the labels, and the numbers, of all that was counted of one kind."""
    return ((key[1:], numbers) for key, numbers in sorted(counted.items()) if key[0] == what)


def _histogram(
    name: str,
    meaning: str,
    labels: Sequence[str],
    edges: Sequence[float],
    counted: Iterable[tuple[Sequence[str], list[float]]],
) -> Metric:
    """Of numbers that are the counts of each bin, and last the sum."""
    family = HistogramMetricFamily(name, meaning, labels=labels)
    ends = [*map(repr, edges), "+Inf"]
    for values, (*bins, total) in counted:
        family.add_metric(values, list(zip(ends, accumulate(bins), strict=True)), total)
    return family


def _processes(workers: Sequence[Numbers]) -> Iterator[Metric]:
    """What the system knows of each worker's process, under the names that prometheus-client gives it."""
    found: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
    for slot, numbers in enumerate(workers):
        pid = int(numbers.get((PID,), [0])[0])
        if not pid:
            continue
        for metric in _process(pid):
            kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            family = found.setdefault(metric.name, kind(metric.name, metric.documentation, labels=["worker"]))
            for sample in metric.samples:
                family.add_metric([str(slot)], sample.value)
    yield from found.values()


def _process(pid: int) -> Iterable[Metric]:
    """Nothing where it has ended, and on systems without /proc."""
    return ProcessCollector(pid=lambda: pid, registry=None).collect()
