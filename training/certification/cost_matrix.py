"""The cost matrix: the price of each confusion, read from the user's file."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.errors import TrainingError

CostMatrix = Sequence[Sequence[float]]  # [answer][true]

MAX_COST = 1e9  # sums over any number of inputs stay finite and exact enough


def read(path: Path, classes: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Read the cost of each answer for each true label, as `[answer][true]` in the order of `classes`.

    The file is a JSON object of objects: with `{"Sandal": {"Ankle boot": 5}}` it costs 5 to answer Sandal when the
    truth is Ankle boot. An error that is not listed costs 1, a right answer 0. Raises TrainingError, which names the
    entry and the rule.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=lambda pairs: _once(path, pairs))
    except OSError as error:
        raise TrainingError(f"cannot read the cost matrix {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"the cost matrix {path} is not JSON: {error}") from None
    if not isinstance(document, dict) or not all(isinstance(row, dict) for row in document.values()):
        raise TrainingError(f'the cost matrix {path} must have the form {{"answer": {{"true label": cost}}}}')
    costs = [[float(answer != truth) for truth in classes] for answer in classes]
    for answer, row in document.items():
        _check_label(path, answer, classes)
        for truth, cost in row.items():
            _check_label(path, truth, classes)
            _check_cost(path, answer, truth, cost)
            costs[classes.index(answer)][classes.index(truth)] = float(cost)
    if not any(map(any, costs)):
        raise TrainingError(f"the cost matrix {path} has no cost above 0: give at least one error a cost")
    return tuple(map(tuple, costs))


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises TrainingError if it names a label twice: the parser alone would keep the last."""
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise TrainingError(
            f"the cost matrix {path} names {twice[0]!r} twice in one object: give each label once, with all its costs"
        )
    return dict(pairs)


def _check_label(path: Path, label: str, classes: Sequence[str]) -> None:
    if label not in classes:
        raise TrainingError(f"the cost matrix {path} names the class {label!r}; the classes are {', '.join(classes)}")


def _check_cost(path: Path, answer: str, truth: str, cost: object) -> None:
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost <= MAX_COST:
        raise TrainingError(
            f"the cost matrix {path} gives the answer {answer!r} for {truth!r} the cost {json.dumps(cost)[:40]}: "
            f"a cost is a number from 0 to {MAX_COST:g}"
        )
