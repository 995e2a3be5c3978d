"""Targets, computed from the results of the parts."""

import json
from typing import Any

import pytest

from benchmarks.serving.targets import all_targets, over_best_peer


def _server(name: str, rates: list[float], peer: bool = False) -> dict[str, Any]:
    """A server with these requests a second, each of which takes all of one core."""
    return {
        "name": name,
        "title": name,
        "versions": {"p": "1"} if peer else {},
        "requests_per_second": rates,
        "processor_seconds": [1 / rate for rate in rates],
    }


PEERS = {
    "servers": [
        _server("limit-demur-json", [40.0, 42.0, 38.0]),
        _server("demur-json", [20.0, 21.0, 19.0]),
        _server("fast", [5.0, 3.0, 2.0], peer=True),
        _server("slow", [1.0, 4.0, 1.0], peer=True),
        _server("fastapi", [19.0, 19.0, 19.0]),
    ]
}


def test_best_peer_has_the_best_median_and_plain_frameworks_do_not_count() -> None:
    assert over_best_peer(PEERS) == 7  # 20 / 5, 21 / 3, 19 / 2


def test_every_target_is_listed_even_without_measurements() -> None:
    lines = [target.line() for target in all_targets({})]
    assert len(lines) == 15
    assert all(line.startswith("unknown") for line in lines)


def test_targets_are_read_from_the_parts() -> None:
    shares = {"json": 0.59, "json-1": 0.51, "raw": 0.74, "png": 0.40, "v2": 0.36, "v2-binary": 0.41}
    throughput = {
        "servers": [
            *(_server(f"demur-{form}", [share]) for form, share in shares.items()),
            *(_server(f"limit-demur-{form}", [1.0]) for form in shares),
        ]
    }
    parts: dict[str, dict[str, Any] | None] = {
        "throughput": throughput,
        "peers": PEERS,
        "bulk": {"of_onnxruntime": {"JSON": 0.9, "npy": 0.4, "octet-stream": 0.6}},
        "latency": {"servers": {"demur-json": {"p99_over_p50": 5.1}}},
        "overload": {"p99_over_unloaded": 7.5, "lost": 1},
        "workers": {"servers": {"demur-json": {"speed_up": 1.9}}},
        "footprint": {"seconds": {"ratio": 1.2}, "resident_kb": {"ratio": 1.16}},
        "packages": {"megabytes": 170.0},
    }
    targets = all_targets(json.loads(json.dumps(parts)))  # as read from the files
    measured = [0.59, 0.51, 7, 0.74, 0.40, 0.36, 0.41, 0.6, 5.1, 7.5, 1, 1.9, 1.2, 1.16, 170]
    assert [target.measured for target in targets] == pytest.approx(measured)
    missed = [target.measured for target in targets if target.line().startswith("missed")]
    assert missed == pytest.approx([0.59, 0.74, 0.41, 5.1, 1])


def test_target_of_binary_answers_is_unknown_without_them() -> None:
    (bulk,) = [t for t in all_targets({"bulk": {"of_onnxruntime": {"JSON": 0.2}}}) if "binary" in t.name]
    assert bulk.measured is None


@pytest.mark.parametrize("part", ["latency", "workers"])
def test_part_without_the_service_leaves_the_target_unknown(part: str) -> None:
    assert all(target.measured is None for target in all_targets({part: {"servers": {}}}))
