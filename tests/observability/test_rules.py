"""promtool checks the configuration, the rules and a scrape. `make test-rules`."""

import copy
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from tests.observability.deployed import FOLDER, GROUPS, RULES, RULES_TEST, alerts

pytestmark = pytest.mark.rules


def _promtool(*arguments: str | Path, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["promtool", *arguments], input=stdin, capture_output=True, text=True, check=False)


def test_configuration_is_accepted() -> None:
    result = _promtool("check", "config", "--lint=all", "--lint-fatal", FOLDER / "prometheus.yml")
    assert result.returncode == 0, result.stdout + result.stderr


def test_rules_pass_their_tests() -> None:
    result = _promtool("test", "rules", RULES_TEST)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("expression", ["vector(1) > 2", "vector(1)"], ids=["never", "always"])
def test_alert_that_never_or_always_fires_fails_its_tests(tmp_path: Path, expression: str) -> None:
    groups: list[dict[str, Any]] = copy.deepcopy(GROUPS)
    for rule in (rule for group in groups for rule in group["rules"] if "alert" in rule):
        rule["expr"] = expression
    (tmp_path / RULES.name).write_text(yaml.safe_dump({"groups": groups}))
    shutil.copy(RULES_TEST, tmp_path)
    result = _promtool("test", "rules", tmp_path / RULES_TEST.name)
    assert result.returncode != 0
    assert set(re.findall(r"alertname: (\w+), time: ", result.stdout + result.stderr)) == alerts().keys()


def test_scrape_follows_the_naming_guide(client: TestClient) -> None:
    client.post("/predict", content=bytes(2), headers={"content-type": "application/octet-stream"})
    result = _promtool("check", "metrics", stdin=client.get("/metrics").text)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
