"""The verdict on what pip-audit says: good only if every package was asked about."""

from pathlib import Path

from tests.supply.audit import NOT_ASKED, VULNERABLE, ask, verdict

CLEAN = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"], "aliases": []}]}
UNASKED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1)"}


def test_good_if_all_were_asked_about_and_none_is_vulnerable() -> None:
    assert verdict({"dependencies": [CLEAN]}) == (0, ["1 packages, none with a known vulnerability"])


def test_package_that_was_not_asked_about_is_a_failure() -> None:
    status, (line,) = verdict({"dependencies": [CLEAN, UNASKED]})
    assert (status, line) == (NOT_ASKED, "of 2 packages 1 could not be asked about: nothing is known")
    assert verdict({"dependencies": []})[0] == NOT_ASKED


def test_vulnerable_package_is_named_with_its_fix() -> None:
    assert verdict({"dependencies": [CLEAN, BAD, UNASKED]}) == (VULNERABLE, ["b 2: PYSEC-1, mended in 3"])


def test_failing_program_is_a_failure(tmp_path: Path) -> None:
    program = tmp_path / "pip-audit"
    program.write_text("#!/bin/sh\necho no route to host >&2\nexit 0\n")
    program.chmod(0o755)
    assert ask(str(program), "requirements/serve.txt", "pypi") == (NOT_ASKED, ["no answer: no route to host"])
