"""Revision, time and versions: their sources, and their values without a source."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.publishing.provenance import TIME_VARIABLE, Revision, created_at, library_versions, revision

COMMITTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout with one commit."""
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    date = COMMITTED.isoformat()
    environment = {**os.environ, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    (tmp_path / "code.py").write_text("1")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "code.py"], [*identity, "commit", "-qm", "One"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], env=environment, check=True)
    return tmp_path


def test_revision_is_the_commit_and_its_time(checkout: Path) -> None:
    head = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert revision(checkout) == Revision(head.stdout.strip(), COMMITTED)


def test_revision_of_changed_files_is_dirty(checkout: Path) -> None:
    (checkout / "code.py").write_text("2")
    result = revision(checkout)
    assert result is not None
    assert result.name.endswith("-dirty")


def test_no_revision_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision(tmp_path) is None


def test_no_revision_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    assert revision(checkout) is None


def test_time_comes_from_the_variable_or_the_revision_or_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TIME_VARIABLE, raising=False)
    assert created_at(Revision("a", COMMITTED)) == COMMITTED
    assert created_at(None) is None
    monkeypatch.setenv(TIME_VARIABLE, "86400")
    assert created_at(Revision("a", COMMITTED)) == datetime(1970, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "now", "1.5", "9" * 30])
def test_invalid_time_is_rejected(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(TIME_VARIABLE, text)
    with pytest.raises(TrainingError, match=f"^SOURCE_DATE_EPOCH={text}: it must be whole seconds since 1970"):
        created_at(None)


def test_versions_name_the_libraries_that_shape_the_file() -> None:
    assert set(library_versions()) == {"python", "torch", "numpy", "onnx", "onnxruntime"}
