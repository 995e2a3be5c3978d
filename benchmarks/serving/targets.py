"""Targets and results of serving."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.rounds import Spread, ratios

Parts = Mapping[str, dict[str, Any] | None]  # by name, from `results.read`


@dataclass(frozen=True, slots=True)
class Target:
    """A target and its result."""

    name: str
    value: float
    measured: float | None  # None if the part has not been run, or the service does not offer it
    at_most: bool = False

    def line(self) -> str:
        """
        >>> Target("start", 1.25, 1.5, at_most=True).line()
        'missed   start: 1.5, target at most 1.25'
        """
        rule = f"target {'at most' if self.at_most else 'at least'} {self.value:g}"
        if self.measured is None:
            return f"{'unknown':8} {self.name}: not measured, {rule}"
        met = self.measured <= self.value if self.at_most else self.measured >= self.value
        return f"{'met' if met else 'missed':8} {self.name}: {self.measured:.3g}, {rule}"


def all_targets(parts: Parts) -> list[Target]:
    """Every target of serving, with the results of the parts."""
    ours = "demur-json"
    return [
        Target("one image as JSON, of the limit with the same bytes", 0.60, _of_limit(parts, ours)),
        Target("the same with one connection", 0.50, _of_limit(parts, f"{ours}-1")),
        Target("the same, over the best of KServe, MLServer, BentoML, LitServe and Ray Serve", 5, _over_peers(parts)),
        Target("one image as raw bytes, of the limit with the same bytes", 0.75, _of_limit(parts, "demur-raw")),
        Target("one image as PNG, of the limit with the same bytes", 0.40, _of_limit(parts, "demur-png")),
        Target("one image by V2 as JSON, of the limit with the same bytes", 0.35, _of_limit(parts, "demur-v2")),
        Target("one image by V2 as bytes, of the same", 0.45, _of_limit(parts, "demur-v2-binary")),
        Target("1,024 images, binary answer, of onnxruntime in a loop", 0.6, _bulk(parts)),
        Target(
            "p99 over p50 at 70 % of the highest load",
            5,
            _value(parts, "latency", "servers", ours, "p99_over_p50"),
            True,
        ),
        Target(
            "p99 of the answers at three times the highest load, over p99 at a low load",
            10,
            _value(parts, "overload", "p99_over_unloaded"),
            True,
        ),
        Target("requests lost at that load", 0, _value(parts, "overload", "lost"), True),
        Target("two workers on two cores over one", 1.8, _value(parts, "workers", "servers", ours, "speed_up")),
        Target("start to readyz, over the imports alone", 1.25, _value(parts, "footprint", "seconds", "ratio"), True),
        Target(
            "resident memory when ready, over the imports alone",
            1.25,
            _value(parts, "footprint", "resident_kb", "ratio"),
            True,
        ),
        Target("MB added to the base image", 200, _value(parts, "packages", "megabytes"), True),
    ]


def share_of_limit(document: dict[str, Any], name: str) -> Spread:
    """Processor time of a request of the limit with as many bytes over that of a server, in each round."""
    times = {server["name"]: server["processor_seconds"] for server in document["servers"]}
    return ratios(times[f"limit-{name}"], times[name])


def over_best_peer(document: dict[str, Any]) -> float:
    """The service over the peer with the best median, in each round."""
    servers = document["servers"]
    peers = [server["requests_per_second"] for server in servers if server["versions"]]
    ours = next(server["requests_per_second"] for server in servers if server["name"] == "demur-json")
    return ratios(ours, max(peers, key=lambda rates: Spread.of(rates).median)).median


def _of_limit(parts: Parts, name: str) -> float | None:
    document = parts.get("throughput")
    measured = () if document is None else [server["name"] for server in document["servers"]]
    return share_of_limit(document, name).median if document and name in measured else None


def _over_peers(parts: Parts) -> float | None:
    document = parts.get("peers")
    return None if document is None else over_best_peer(document)


def _bulk(parts: Parts) -> float | None:
    document = parts.get("bulk")
    binary = {} if document is None else {k: v for k, v in document["of_onnxruntime"].items() if k != "JSON"}
    return max(binary.values(), default=None)


def _value(parts: Parts, part: str, *keys: str) -> float | None:
    value: Any = parts.get(part)
    for key in keys:
        value = None if value is None else value.get(key)
    return value  # type: ignore[no-any-return]
