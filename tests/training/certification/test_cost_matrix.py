"""Who is hurt by which confusion, read from a file."""

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


def test_what_is_not_named_costs_one_and_the_right_answer_nothing(tmp_path: Path) -> None:
    path = _file(tmp_path, {"dog": {"wolf": 20, "cat": 0.5}})
    assert read(path, CLASSES) == ((0, 1, 1), (0.5, 0, 20), (1, 1, 0))


BAD = {
    "not JSON": ("{", "is not JSON"),
    "a list": ([1], r'must be like \{"answer": \{"true label": cost\}\}'),
    "a number a label": ({"dog": 3}, "must be like"),
    "an unknown answer": ({"cow": {"dog": 1}}, "names 'cow', which is none of cat, dog, wolf"),
    "an unknown answer without costs": ({"cow": {}}, "names 'cow', which is none of cat, dog, wolf"),
    "an unknown label": ({"dog": {"cow": 1}}, "names 'cow', which is none of cat, dog, wolf"),
    "a negative cost": ({"dog": {"cat": -1}}, "has -1 for 'dog' where 'cat': a number from 0 to 1e"),
    "infinite": ('{"dog": {"cat": Infinity}}', "has Infinity for 'dog' where 'cat': a number from 0"),
    "text": ({"dog": {"cat": "1"}}, "has \"1\" for 'dog' where 'cat': a number from 0"),
    "true": ({"dog": {"cat": True}}, "has true for 'dog' where 'cat': a number from 0"),
    "an integer past any float": ('{"dog": {"cat": 1' + "0" * 400 + "}}", "has 10000.* for 'dog' where 'cat'"),
    "nested past any need": ("[" * 100_000, "is not JSON"),
    "all zero": (
        {a: dict.fromkeys(CLASSES, 0) for a in CLASSES},
        "has no cost over 0",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_matrix_that_breaks_a_rule(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        read(_file(tmp_path, content), CLASSES)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot read the cost matrix .*costs\.json: No such file"):
        read(tmp_path / "costs.json", CLASSES)
