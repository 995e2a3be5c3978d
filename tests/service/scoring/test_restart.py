"""The same command resumes a run that was stopped at any moment, with the output of an uninterrupted run."""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from service.scoring.job import division
from tests.service.scoring.files import command, embeddings, fixed_size_list, score, start, write

pytestmark = pytest.mark.process

if sys.platform != "win32":
    import fcntl

GROUP = 1 << 18  # rows of one part
ROWS = 4 * GROUP + 1000
# Small batches leave time to kill a run between them. All runs use the same size, since the last bit of a confidence
# may depend on the other rows of its batch.
BATCH = ("--batch-size", "512")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An input of four full parts and a short one."""
    columns = {"id": list(range(ROWS)), "x": fixed_size_list(embeddings(ROWS))}
    return write(tmp_path_factory.mktemp("in") / "in.parquet", columns, group=GROUP)


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory, file: Path, embedding_model: Path) -> bytes:
    """The output of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "out.parquet"
    assert score(embedding_model, file, out, *BATCH) == 0
    return out.read_bytes()


def _parts(out: Path) -> list[Path]:
    return sorted(out.with_name("out.parquet.parts").glob("part-??????.parquet"))


def _kill_when(model: Path, file: Path, out: Path, reached: Callable[[], bool]) -> None:
    """Start the command and kill it when a condition holds."""
    run = start(command(model, file, out, *BATCH))
    deadline = time.monotonic() + 60
    while not reached() and run.poll() is None and time.monotonic() < deadline:
        pass
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL, "the run ended before it could be killed"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, file: Path, embedding_model: Path) -> Path:
    """The folder of parts of a run that was killed after its second part."""
    out = tmp_path_factory.mktemp("killed") / "out.parquet"
    _kill_when(embedding_model, file, out, lambda: len(_parts(out)) >= 2)
    assert not out.exists()
    return out.with_name("out.parquet.parts")


@pytest.fixture
def out(tmp_path: Path, killed: Path) -> Path:
    """The output path of a killed run, with its parts beside it."""
    shutil.copytree(killed, tmp_path / "out.parquet.parts")
    return tmp_path / "out.parquet"


def test_killed_after_its_second_part(
    out: Path, file: Path, complete: bytes, embedding_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = len(_parts(out))
    assert 2 <= kept < 5
    assert score(embedding_model, file, out, *BATCH) == 0
    assert f" rows/s, {kept * GROUP:,} were there; " in capsys.readouterr().out
    assert out.read_bytes() == complete
    assert {path.name for path in out.parent.iterdir()} == {"out.parquet"}


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path, file: Path, complete: bytes, embedding_model: Path) -> None:
    out, folder = tmp_path / "out.parquet", tmp_path / "out.parquet.parts"
    moments: list[Callable[[], bool]] = [
        folder.exists,
        (folder / "job.json").exists,
        (folder / "part-000000.parquet.draft").exists,
        lambda: len(_parts(out)) >= 1,
        (folder / "part-000002.parquet.draft").exists,
        lambda: len(_parts(out)) >= 4,
        (folder / "whole.draft").exists,
    ]
    for reached in moments:
        _kill_when(embedding_model, file, out, reached)
        assert not out.exists()
    assert score(embedding_model, file, out, *BATCH) == 0
    assert out.read_bytes() == complete
    assert {path.name for path in tmp_path.iterdir()} == {"out.parquet"}


def test_killed_before_it_removed_its_parts(tmp_path: Path, file: Path, complete: bytes, embedding_model: Path) -> None:
    out, folder = tmp_path / "out.parquet", tmp_path / "out.parquet.parts"
    out.write_bytes(complete)
    folder.mkdir()
    (folder / "part-000000.parquet").write_bytes(b"x")
    (folder / "job.json").write_text("{}")
    assert score(embedding_model, file, out, *BATCH) == 0
    assert out.read_bytes() == complete
    assert not folder.exists()


def test_part_lost_in_a_crash_is_made_again(out: Path, file: Path, complete: bytes, embedding_model: Path) -> None:
    _parts(out)[0].write_bytes(b"")
    assert score(embedding_model, file, out, *BATCH) == 0
    assert out.read_bytes() == complete


def test_parts_of_another_job_are_discarded(
    out: Path, file: Path, complete: bytes, embedding_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = out.with_name("out.parquet.parts") / "job.json"
    changed = {"model": {"name": "tiny", "version": "0" * 12}, "input": {}}
    job.write_text(json.dumps({**json.loads(job.read_text()), **changed}))
    assert score(embedding_model, file, out, *BATCH) == 0
    printed = capsys.readouterr()
    assert printed.err == f"demur: {job.parent} is of another model, input: starting again\n"
    assert "were there" not in printed.out
    assert out.read_bytes() == complete


def test_other_files_in_the_folder_of_parts_stay(tmp_path: Path, embedding_model: Path) -> None:
    file = write(tmp_path / "in.parquet", {"x": fixed_size_list(embeddings(10))})
    theirs = tmp_path / "out.parquet.parts" / "notes.txt"
    theirs.parent.mkdir()
    theirs.write_text("keep me")
    assert score(embedding_model, file, tmp_path / "out.parquet") == 0
    assert [path.name for path in theirs.parent.iterdir()] == ["notes.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_one_run_at_a_time(
    out: Path, file: Path, complete: bytes, embedding_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = len(_parts(out))
    with (out.with_name("out.parquet.parts") / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as the other run holds it
        assert score(embedding_model, file, out, *BATCH) == 1
    assert capsys.readouterr().err == f"demur: another run is writing {out}\n"
    assert len(_parts(out)) == kept
    assert score(embedding_model, file, out, *BATCH) == 0
    assert out.read_bytes() == complete


def test_keyboard_interrupt(tmp_path: Path, file: Path, complete: bytes, embedding_model: Path) -> None:
    out = tmp_path / "out.parquet"
    run = start(command(embedding_model, file, out, *BATCH), start_new_session=True)
    while not _parts(out) and run.poll() is None:
        pass
    os.killpg(run.pid, signal.SIGINT)
    _, stderr = run.communicate(timeout=60)
    # Python may first report that it ignored the exception somewhere; it raises it again.
    assert (run.returncode, stderr.splitlines()[-1]) == (
        130,
        "demur: interrupted: the same command continues from here",
    )
    assert not list(out.with_name("out.parquet.parts").glob("*.draft"))
    assert score(embedding_model, file, out, *BATCH) == 0
    assert out.read_bytes() == complete


def test_row_groups_without_rows() -> None:
    assert division(()) == [range(0, 0)]
    assert division((0, GROUP, 0, 5, 0)) == [range(0, 2), range(2, 5)]
