"""The next job removes the draft of a killed job, but not that of a running one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.contract.files import drafted, publish, remove_left_behind
from tests.server import ROOT

# Begins to publish, prints the draft, and waits during the proof for a byte or the end of its input.
WRITER = """
import sys
from pathlib import Path
from service.contract.files import publish

def prove(draft):
    print(draft, flush=True)
    sys.stdin.read(1)

publish(b"of the other", Path(sys.argv[1]), prove)
"""


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _writer(target: Path) -> tuple["subprocess.Popen[str]", Path]:
    """A process that is publishing to `target`, and its draft."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(target)], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_next_job_removes_the_draft_of_a_killed_one(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    process, draft = _writer(target)
    with process:
        process.send_signal(signal.SIGKILL)
    assert _names(tmp_path) == [draft.name]
    publish(b"mine", target, lambda _: None)
    assert _names(tmp_path) == ["model.onnx"]
    assert target.read_bytes() == b"mine"


def test_draft_of_a_running_job_stays(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    process, draft = _writer(target)
    with process:
        publish(b"mine", target, lambda _: None)
        assert _names(tmp_path) == [draft.name, "model.onnx"]
        assert target.read_bytes() == b"mine"
        process.communicate("x")
    assert process.returncode == 0
    assert _names(tmp_path) == ["model.onnx"]
    assert target.read_bytes() == b"of the other"


def test_similar_file_names_stay(tmp_path: Path) -> None:
    other = [".model.onnx-backup.tmp", ".model.onnx-abcdefgh.tmp.old", "model.onnx-abcdefgh.tmp", ".other-abcdefgh.tmp"]
    for name in other:
        (tmp_path / name).write_bytes(b"a user's")
    (tmp_path / ".model.onnx-abcdefgh.tmp").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"a user's")
    (tmp_path / ".model.onnx-abcdefg2.tmp").symlink_to("elsewhere")
    before = _names(tmp_path)
    remove_left_behind(tmp_path / "model.onnx")
    assert _names(tmp_path) == before
    (tmp_path / ".model.onnx-abcdefg3.tmp").write_bytes(b"")
    remove_left_behind(tmp_path / "model.onnx")
    assert _names(tmp_path) == before


def test_draft_removed_before_its_lock_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another job may find a draft before it is locked. Here that happens to the first draft."""
    target = tmp_path / "model.onnx"
    original, taken = os.fstat, list[str]()

    def fstat(descriptor: int) -> os.stat_result:  # runs between creation and lock
        if not taken:
            taken.extend(_names(tmp_path))
            (tmp_path / taken[0]).unlink()
        return original(descriptor)

    monkeypatch.setattr(os, "fstat", fstat)
    with drafted(target) as draft:
        assert _names(tmp_path) == [draft.name] != taken
    assert _names(tmp_path) == []


def test_concurrent_jobs_never_remove_each_others_drafts(tmp_path: Path) -> None:
    """Four processes publish to one path repeatedly, and remove drafts that they take for abandoned."""
    code = (
        "import sys; from pathlib import Path; from service.contract.files import publish\n"
        "for i in range(100): publish(sys.argv[2].encode() * 10_000, Path(sys.argv[1]), lambda _: None)"
    )
    target = tmp_path / "model.onnx"
    jobs = [subprocess.Popen([sys.executable, "-c", code, str(target), letter], cwd=ROOT) for letter in "abcd"]
    contents = set()
    while any(job.poll() is None for job in jobs):
        if target.exists():
            contents.add(target.read_bytes())
    assert [job.wait() for job in jobs] == [0] * 4
    assert contents <= {letter.encode() * 10_000 for letter in "abcd"}
    assert contents
    assert _names(tmp_path) == ["model.onnx"]
