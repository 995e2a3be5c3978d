"""docs/chapter is generated: its text from its numbers, and its numbers from a run."""

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


def _page_document(exercise: Exercise) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CHAPTER / f"{exercise.name}.json").read_text())
    return document


@of_each
def test_text_is_made_from_the_numbers_beside_it(exercise: Exercise) -> None:
    assert (CHAPTER / f"{exercise.name}.md").read_text() == page.text(exercise, _page_document(exercise))


@of_each
def test_pictures_exist_and_have_alternative_text(exercise: Exercise) -> None:
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", (CHAPTER / f"{exercise.name}.md").read_text())
    for words, name in pictures:
        assert len(words) > 20
        assert (CHAPTER / name).is_file()


@pytest.mark.slow
@of_each
def test_quick_run_reproduces_the_numbers_of_the_page(exercise: Exercise, data_folder: Path) -> None:
    values = json.loads(json.dumps(exercise.measure(Settings(quick=True, data_dir=data_folder)).values))
    pairs = list(_pairs(values, _page_document(exercise)["values"], exercise.name))
    assert pairs
    for where, value, on_page in pairs:
        # Other processors sum in another order.
        expected = pytest.approx(on_page, rel=0.02, abs=1e-6, nan_ok=True) if isinstance(on_page, float) else on_page
        assert value == expected, where


def _pairs(measured: Any, on_page: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Every single value of a quick run, beside the value of the same name on the page."""
    if isinstance(measured, dict):
        for key, value in measured.items():
            assert key in on_page, f"{where}.{key} is not on the page"
            yield from _pairs(value, on_page[key], f"{where}.{key}")
    elif isinstance(measured, list):
        assert len(measured) == len(on_page), where
        for i, (value, other) in enumerate(zip(measured, on_page, strict=True)):
            yield from _pairs(value, other, f"{where}[{i}]")
    else:
        yield where, measured, on_page


def test_command_without_names_lists_all_exercises(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [e.name for e in EXERCISES]
    assert len({exercise.name for exercise in EXERCISES}) == len(EXERCISES)


def test_impossible_folder_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["all", "--out", str(tmp_path / "file" / "pages")]) == 1
    assert capsys.readouterr().err.startswith("exercises: cannot make the folder")
