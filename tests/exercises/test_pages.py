"""docs/chapter is what the programs wrote: its text from its numbers, and its numbers from a run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exercises import page
from exercises.__main__ import main
from exercises.catalogue import EXERCISES
from exercises.exercise import Exercise, Settings

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "docs" / "chapter"

of_each = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


def _stated(exercise: Exercise) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHAPTER / f"{exercise.name}.json").read_text())
    return found


@of_each
def test_text_is_made_from_the_numbers_beside_it(exercise: Exercise) -> None:
    assert (CHAPTER / f"{exercise.name}.md").read_text() == page.text(exercise, _stated(exercise))


@of_each
def test_pictures_are_there_and_have_words(exercise: Exercise) -> None:
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", (CHAPTER / f"{exercise.name}.md").read_text())
    for words, name in pictures:
        assert len(words) > 20
        assert (CHAPTER / name).is_file()


@pytest.mark.slow
@of_each
def test_quick_run_finds_what_the_page_states(exercise: Exercise, data_folder: Path) -> None:
    found = json.loads(json.dumps(exercise.measure(Settings(quick=True, data_dir=data_folder)).values))
    pairs = list(_pairs(found, _stated(exercise)["values"], exercise.name))
    assert pairs
    for where, value, stated in pairs:
        # Another processor adds in another order.
        expected = pytest.approx(stated, rel=0.02, abs=1e-6, nan_ok=True) if isinstance(stated, float) else stated
        assert value == expected, where


def _pairs(found: Any, stated: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Every single value that a quick run found, beside the one that is stated under the same name."""
    if isinstance(found, dict):
        for key, value in found.items():
            assert key in stated, f"{where}.{key} is not stated"
            yield from _pairs(value, stated[key], f"{where}.{key}")
    elif isinstance(found, list):
        assert len(found) == len(stated), where
        for i, (value, other) in enumerate(zip(found, stated, strict=True)):
            yield from _pairs(value, other, f"{where}[{i}]")
    else:
        yield where, found, stated


def test_none_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [e.name for e in EXERCISES]
    assert len({exercise.name for exercise in EXERCISES}) == len(EXERCISES)


def test_folder_that_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["all", "--out", str(tmp_path / "file" / "pages")]) == 1
    assert capsys.readouterr().err.startswith("exercises: cannot make the folder")
