"""CI and the nightly run use the same make targets everywhere, and together run every test."""

import re
import tomllib

import yaml

from tests.server import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
RECIPES = dict(re.findall(r"^([a-z0-9-]+):.*## .*\n((?:\t.*\n?)*)", MAKEFILE, re.MULTILINE))
NIGHTLY = re.findall(r"^nightly: (.*) ##", MAKEFILE, re.MULTILINE)[0].split()


def _steps(text: str) -> list[str]:
    return re.findall(r"(?:run:|step) make (.*)", text)


CI = _steps((ROOT / ".ci" / "run").read_text())


def test_ci_calls_the_same_make_targets_everywhere() -> None:
    assert _steps((ROOT / ".github" / "workflows" / "ci.yml").read_text()) == CI


def test_nightly_run_is_scheduled() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "nightly.yml").read_text())
    assert workflow[True]["schedule"]  # YAML reads `on` as true
    assert [step["run"] for step in workflow["jobs"]["nightly"]["steps"] if "run" in step][-1] == "make -k nightly"


def test_called_targets_exist() -> None:
    assert {step.split()[0] for step in CI + NIGHTLY} <= RECIPES.keys()


def test_tests_of_every_mark_are_run() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    marks = set(re.findall(r"\w+(?= or |\))", options["addopts"].partition("-m 'not (")[2]))
    assert {"process", "slow", "e2e"} < marks
    run = "".join(RECIPES[step.split()[0]] for step in CI + NIGHTLY)
    assert set(re.findall(r"\$\(PYTEST\) .*-m (\w+)", run)) == marks
