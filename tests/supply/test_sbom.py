"""The bill of materials from `make sbom`: all of the serving image's packages, and nothing else."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.server import ROOT
from tests.supply.lock import pins, plain

pytestmark = pytest.mark.sbom

WRITTEN = ROOT / "build" / "demur-serve.cdx.json"


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(WRITTEN.read_text())
    return document


def test_bill_is_cyclonedx_and_describes_the_service(bill: dict[str, Any]) -> None:
    """`make sbom` writes it with `--validate`, which checks the schema."""
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "demur"


def test_components_are_the_lock(bill: dict[str, Any]) -> None:
    versions = {plain(component["name"]): component["version"] for component in bill["components"]}
    assert versions == {package: pin.version for package, pin in pins("serve").items()}
    assert all(component["purl"].startswith("pkg:pypi/") for component in bill["components"])


def test_dependencies_are_stated(bill: dict[str, Any]) -> None:
    needed = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in bill["dependencies"]}
    reached: set[str] = set()
    waiting = [bill["metadata"]["component"]["bom-ref"]]
    while waiting:
        component = waiting.pop()
        reached.add(component)
        waiting += needed[component] - reached
    assert reached == needed.keys()
    assert len(reached) == len(bill["components"]) + 1


def test_bill_is_reproducible_and_names_no_local_path(tmp_path: Path) -> None:
    second = tmp_path / "again.json"
    program = ROOT / "build" / "sbom" / "bin" / "cyclonedx-py"
    command = ["environment", "--pyproject", "pyproject.toml", "--sv", "1.6", "--output-reproducible", "--output-file"]
    subprocess.run([program, *command, second, "build/sbom/serving/bin/python"], cwd=ROOT, check=True)
    assert second.read_bytes() == WRITTEN.read_bytes()
    assert str(ROOT) not in WRITTEN.read_text()
