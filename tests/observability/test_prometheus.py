"""A real Prometheus scrapes a real service of two workers, with our configuration and rules. `make test-rules`."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests import tiny
from tests.observability.deployed import CONFIGURATION, RULES, questions
from tests.server import Server, free_port, serving

pytestmark = pytest.mark.rules

RAW = {"content-type": "application/octet-stream"}
IMAGE = bytes(tiny.IMAGES[1])
INTERVAL = "500ms"
BROKEN = "DemurCertificateNoLongerHolds"


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    address: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The current series of a PromQL expression, each with `metric` and `value`."""
        answer = httpx2.get(f"{self.address}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", answer
        series: list[dict[str, Any]] = answer["data"]["result"]
        return series

    def number(self, expression: str) -> float | None:
        """The value of the only series, or None if there is none."""
        series = self.query(expression)
        assert len(series) <= 1
        return float(series[0]["value"][1]) if series else None

    def alerts(self) -> dict[str, dict[str, Any]]:
        """The pending and firing alerts by name; the last of several with one name."""
        alerts = httpx2.get(f"{self.address}/api/v1/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"]: alert for alert in alerts}


@contextmanager
def watching(server: Server, folder: Path) -> Iterator[Prometheus]:
    """Run Prometheus with our configuration, except for the target and the intervals."""
    configuration: dict[str, Any] = {
        **CONFIGURATION,
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {**entry, "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}
            for entry in CONFIGURATION["scrape_configs"]
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    listen = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["prometheus", *options, f"--web.listen-address={listen}"], stderr=log)
        try:
            prometheus = Prometheus(f"http://{listen}")
            _wait_until(lambda: process.poll() is not None or _is_ready(prometheus))
            assert process.poll() is None, (folder / "log").read_text()
            yield prometheus
        finally:
            process.terminate()
            process.wait(20)


def _is_ready(prometheus: Prometheus) -> bool:
    try:
        return httpx2.get(f"{prometheus.address}/-/ready").status_code == 200
    except httpx2.TransportError:
        return False


def _wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.1)


def _ask(server: Server, requests: int, policy: str, label: str) -> None:
    """Send predictions and their feedback on separate connections, so that both workers get some."""
    for _ in range(requests):
        answer = httpx2.post(f"{server.address}/predict?{policy}", content=IMAGE, headers=RAW).json()
        feedback = {"id": answer["predictions"][0]["id"], "label": label}
        assert httpx2.post(f"{server.address}/feedback", json=feedback).status_code == 200


def test_rules_record_series_and_alert_on_a_broken_certificate(tiny_model: Path, tmp_path: Path) -> None:
    settings = {"DEMUR_WORKERS": "2", "DEMUR_FEEDBACK_COUNTS": "all"}
    with serving(tiny_model, **settings) as server, watching(server, tmp_path) as prometheus:
        _wait_until(lambda: prometheus.number('up{job="demur"}') == 1)
        _wait_until(lambda: len(prometheus.query("process_resident_memory_bytes")) == 2)
        _ask(server, 20, "selective_risk=0.1", "left")
        selector = '{policy="selective_risk=0.1"}'
        _wait_until(lambda: prometheus.number(f"sum(demur_decisions_total{selector})") == 20)
        _wait_until(lambda: prometheus.number(f"demur_feedback_answers_total{selector}") == 20)
        assert prometheus.number(f"demur_feedback_errors_total{selector}") == 0
        _wait_until(lambda: prometheus.number(f"model_policy:demur_coverage:ratio1h{selector}") == 1)
        assert prometheus.number('demur_request_duration_seconds_count{route="/predict",status="200"}') == 20
        assert prometheus.alerts() == {}

        _ask(server, 1, "reject_cost=0.2", "left")
        httpx2.post(f"{server.address}/predict", content=IMAGE * 200, headers=RAW)
        _ask(server, 30, "selective_risk=0.1", "right")
        _wait_until(lambda: BROKEN in prometheus.alerts())
        alert = prometheus.alerts()[BROKEN]
        assert alert["state"] == "firing"
        assert (alert["labels"]["model"], alert["labels"]["policy"]) == ("tiny", "selective_risk=0.1")
        assert alert["annotations"]["summary"] == "tiny: the certificate of selective_risk=0.1 no longer holds"
        # One image sent many times is drift, but not for half an hour.
        _wait_until(lambda: "DemurInputsDrifted" in prometheus.alerts())
        assert prometheus.alerts()["DemurInputsDrifted"]["state"] == "pending"

        _wait_until(lambda: prometheus.number("sum(increase(demur_inputs_total[1h]))") is not None)
        without = [text for text in questions() if not prometheus.query(_filled(text))]
        assert without == ['job:demur_requests_failed:ratio_rate5m{job="$job"}']  # nothing has failed

        server.process.kill()
        _wait_until(lambda: "DemurDown" in prometheus.alerts())
        assert prometheus.alerts()["DemurDown"]["state"] == "pending"


def _filled(expression: str) -> str:
    """An expression with the initial values of Grafana's variables."""
    values = {"$job": "demur", "$model": ".*", "$__rate_interval": "1m"}
    for name, value in values.items():
        expression = expression.replace(name, value)
    return expression
