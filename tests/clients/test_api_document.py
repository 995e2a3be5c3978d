"""docs/api.md: every example runs as written, and gives the documented output in each language."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import ROOT, Server, serving

pytestmark = pytest.mark.clients

TEXT = (ROOT / "docs" / "api.md").read_text()
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
LANGUAGES = ("sh", "python", "js")
# Fields that differ between requests or trainings.
CHANGING = {"id", "audit", "request_id", "version"}


@pytest.fixture(scope="module")
def server(trained_model: Path) -> Iterator[Server]:
    with serving(trained_model) as running:
        yield running


def _block(section: str, language: str) -> str:
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)
    return str(block)


def _run(language: str, code: str, folder: Path) -> Any:
    """The output of an example, parsed as JSON."""
    script = folder / f"example.{'mjs' if language == 'js' else language}"
    script.write_text(code)
    node = shutil.which("node")
    assert node is not None, "JavaScript's examples need Node"
    program = {"sh": ["bash", "-o", "pipefail"], "python": [sys.executable, "-W", "error"], "js": [node]}[language]
    result = subprocess.run([*program, str(script)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return json.loads(result.stdout)


def _assert_alike(expected: Any, actual: Any, field: str = "") -> None:
    """Assert equality up to small differences of numbers, since training differs slightly between machines."""
    if isinstance(expected, dict):
        assert list(expected) == list(actual)
        for name, value in expected.items():
            _assert_alike(value, actual[name], name)
    elif isinstance(expected, list):
        assert len(expected) == len(actual), field
        for one, other in zip(expected, actual, strict=True):
            _assert_alike(one, other, field)
    elif isinstance(expected, float):
        assert actual == pytest.approx(expected, abs=0.5 if field in ("logit", "total") else 0.1), field
    elif field not in CHANGING:
        assert expected == actual


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: None if name in CHANGING else _without_ids(inner) for name, inner in value.items()}
    return [_without_ids(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("section", SECTIONS)
def test_example_gives_the_documented_output_in_each_language(section: str, server: Server, tmp_path: Path) -> None:
    outputs = []
    for language in LANGUAGES:
        code = _block(section, language)
        assert "http://127.0.0.1:8000" in code
        outputs.append(_run(language, code.replace("http://127.0.0.1:8000", server.address), tmp_path))
    _assert_alike(json.loads(_block(section, "json")), outputs[0])
    assert _without_ids(outputs[0]) == _without_ids(outputs[1]) == _without_ids(outputs[2])
