"""Reads deploy/observability: rules, alerts, and the queries of the dashboard."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.server import ROOT

FOLDER = ROOT / "deploy" / "observability"
RULES = FOLDER / "demur.rules.yml"
RULES_TEST = FOLDER / "demur.rules.test.yml"
CONFIGURATION: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana" / "dashboards" / "demur.json").read_text())

_NAME = re.compile(r"(?<![\w:])(?:(?:demur|process)_\w+|\w+(?::\w+)+)")


def rules() -> Iterator[dict[str, Any]]:
    """All rules, recording rules and alerts."""
    for group in GROUPS:
        yield from group["rules"]


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def questions() -> list[str]:
    """The queries of the dashboard's panels, in PromQL with Grafana's variables."""
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def names(expression: str) -> set[str]:
    """The metrics that a PromQL expression names, except those that Prometheus itself makes."""
    without_text = re.sub(r'"[^"]*"', '""', expression)
    without_labels = re.sub(r"\b(?:by|on|without|ignoring) *\([^)]*\)", "", re.sub(r"\{[^}]*\}", "", without_text))
    return set(_NAME.findall(without_labels))
