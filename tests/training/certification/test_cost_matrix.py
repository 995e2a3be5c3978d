"""The cost matrix, read from a file."""

import json
from pathlib import Path

import pytest

from training.certification.cost_matrix import read
from training.errors import TrainingError

CLASSES = ("cat", "dog", "wolf")


def _file(folder: Path, content: object) -> Path:
    path = folder / "costs.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_unlisted_errors_cost_one_and_right_answers_nothing(tmp_path: Path) -> None:
    path = _file(tmp_path, {"dog": {"wolf": 20, "cat": 0.5}})
    assert read(path, CLASSES) == ((0, 1, 1), (0.5, 0, 20), (1, 1, 0))


BAD = {
    "not JSON": ("{", "is not JSON"),
    "a list": ([1], r'must have the form \{"answer": \{"true label": cost\}\}'),
    "one number for a label": ({"dog": 3}, "must have the form"),
    "an unknown answer": ({"cow": {"dog": 1}}, "names the class 'cow'; the classes are cat, dog, wolf"),
    "an unknown answer without costs": ({"cow": {}}, "names the class 'cow'; the classes are cat, dog, wolf"),
    "an unknown label": ({"dog": {"cow": 1}}, "names the class 'cow'; the classes are cat, dog, wolf"),
    "a negative cost": ({"dog": {"cat": -1}}, "for 'cat' the cost -1: a cost is a number from 0 to 1e"),
    "infinite": ('{"dog": {"cat": Infinity}}', "for 'cat' the cost Infinity: a cost is a number from 0"),
    "text": ({"dog": {"cat": "1"}}, "the answer 'dog' for 'cat' the cost \"1\": a cost is a number from 0"),
    "true": ({"dog": {"cat": True}}, "the answer 'dog' for 'cat' the cost true: a cost is a number from 0"),
    "an integer too large for a float": (
        '{"dog": {"cat": 1' + "0" * 400 + "}}",
        "'dog' for 'cat' the cost 10000.*: a cost is",
    ),
    "nested too deeply": ("[" * 100_000, "is not JSON"),
    "an answer twice": ('{"cat": {"dog": 5}, "cat": {"wolf": 7}}', "names 'cat' twice in one object: give each label"),
    "a true label twice": ('{"cat": {"dog": 5, "dog": 7}}', "names 'dog' twice in one object: give each label once"),
    "all zero": (
        {a: dict.fromkeys(CLASSES, 0) for a in CLASSES},
        "has no cost above 0",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_matrix_that_breaks_a_rule(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        read(_file(tmp_path, content), CLASSES)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot read the cost matrix .*costs\.json: No such file"):
        read(tmp_path / "costs.json", CLASSES)
