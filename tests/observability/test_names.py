"""Every metric that a rule, the dashboard or a document names exists in the service, and the reverse."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from service.app import create_app
from service.http.access import keys
from service.http.access.scopes import SCOPES
from service.settings import Settings
from tests import tiny
from tests.observability.deployed import CONFIGURATION, DASHBOARD, FOLDER, alerts, names, questions, rules
from tests.server import ROOT
from tests.service.monitoring.metrics.scraped import Scraped, read

RAW = {"content-type": "application/octet-stream"}
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
RECORDED = {rule["record"] for rule in rules() if "record" in rule}


@pytest.fixture(scope="module")
def scraped(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Scraped:
    """The scrape of a service that has used every metric."""
    presented, key = keys.new("all", frozenset(SCOPES))
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(key.line())
    settings = Settings(model_path=tiny_model, api_keys=file, feedback_counts="all")
    with TestClient(create_app(settings)) as client:
        client.headers["x-api-key"] = presented
        for policy in ("selective_risk=0.1", "reject_cost=0.2"):
            answer = client.post(f"/predict?{policy}", content=tiny.IMAGES.tobytes() * 50, headers=RAW).json()
            client.post("/feedback", json={"id": answer["predictions"][1]["id"], "label": "left"})
        return read(client.get("/metrics").text)


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in rules()), *questions()])
def test_queried_metrics_exist(scraped: Scraped, expression: str) -> None:
    own = {name for name, _ in scraped.samples}
    queried = names(expression)
    assert queried or re.search(r"\b(?:up|ALERTS)\b", expression)
    assert queried <= own | RECORDED


def test_metric_names_are_found_in_every_expression() -> None:
    expression = 'sum by (demur_label) (rate(demur_a_total{b="demur_c"}[5m])) / on (demur_d) a:demur_e:ratio offset 1d'
    assert names(expression) == {"demur_a_total", "a:demur_e:ratio"}


def test_recorded_series_are_used() -> None:
    queried = {name for text in (*(rule["expr"] for rule in rules()), *questions()) for name in names(text)}
    assert queried >= RECORDED


def test_table_of_metrics_is_the_scrape(scraped: Scraped) -> None:
    rows = re.findall(r"^\| `((?:demur|process)_\w+)` \| (\w+) \|(.*?)\| (.+) \|$", OPERATIONS, re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows}
    assert len(documented) == len(rows)
    exported = {}
    for name, kind in scraped.types.items():
        series = f"{name}_count" if kind == "histogram" else name
        exported[name] = kind, {label for key, labels in scraped.samples if key == series for label, _ in labels}
    assert documented == exported


def test_table_of_alerts_is_the_rules() -> None:
    rows = dict(re.findall(r"^\| `(Demur\w+)` \| (\w+) \| .+ \|$", OPERATIONS, re.MULTILINE))
    assert rows == {name: rule["labels"]["severity"] for name, rule in alerts().items()}


@pytest.mark.parametrize("alert", alerts().values(), ids=alerts())
def test_alerts_describe_the_problem_and_the_remedy(alert: dict[str, Any]) -> None:
    assert set(alert["annotations"]) == {"summary", "description"}
    assert len(alert["annotations"]["summary"]) <= 120
    assert len(alert["annotations"]["description"].split()) >= 20


def test_scrape_targets_are_those_of_the_compose_file() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    (scraping,) = CONFIGURATION["scrape_configs"]
    assert scraping["job_name"] == "demur"  # named by the rules
    (target,) = scraping["static_configs"][0]["targets"]
    name, _, port = target.partition(":")
    assert services[name]["ports"][0].endswith(f":{port}")
    (source,) = yaml.safe_load((FOLDER / "grafana" / "datasources" / "prometheus.yml").read_text())["datasources"]
    name, _, port = source["url"].removeprefix("http://").partition(":")
    assert services[name]["ports"][0].endswith(f":{port}")


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_monitoring_is_optional(name: str) -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][name]
    assert service["profiles"] == ["observability"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert re.fullmatch(r"\w+/\w+:v?\d+\.\d+\.\d+", service["image"])
    for mount in service["volumes"]:
        source = mount.split(":")[0]
        assert (ROOT / source).is_dir() if source.startswith("./") else source == name


def test_dashboard_is_consistent() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    occupied: set[tuple[int, int]] = set()
    for panel in panels:
        position = panel["gridPos"]
        cells = {(position["x"] + i, position["y"] + j) for i in range(position["w"]) for j in range(position["h"])}
        assert position["x"] + position["w"] <= 24
        assert not cells & occupied
        occupied |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = {name for text in questions() for name in re.findall(r"\$(\w+)", text)} - {"__rate_interval"}
    assert used | {"datasource"} == variables
