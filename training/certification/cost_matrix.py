"""Who is hurt by which confusion: the cost matrix, as a user writes it down."""

import json
from collections.abc import Sequence
from pathlib import Path

from training.errors import TrainingError

LARGEST = 1e9  # of a cost: sums over any number of inputs stay finite and exact enough


def read(path: Path, classes: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Read what each answer costs for each true label, as `[answer][true]` in the order of `classes`.

    The file is JSON, an object of objects: `{"Sandal": {"Ankle boot": 5}}` says that to answer Sandal where the truth
    is Ankle boot costs 5. What it does not name costs 1, and the right answer 0. Raises TrainingError that names the
    entry and the rule.
    """
    try:
        given = json.loads(path.read_text())
    except OSError as error:
        raise TrainingError(f"cannot read the cost matrix {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"the cost matrix {path} is not JSON: {error}") from None
    if not isinstance(given, dict) or not all(isinstance(row, dict) for row in given.values()):
        raise TrainingError(f'the cost matrix {path} must be like {{"answer": {{"true label": cost}}}}')
    costs = [[float(answer != truth) for truth in classes] for answer in classes]
    for answer, row in given.items():
        _check_label(path, answer, classes)
        for truth, cost in row.items():
            _check_label(path, truth, classes)
            _check_cost(path, answer, truth, cost)
            costs[classes.index(answer)][classes.index(truth)] = float(cost)
    if not any(map(any, costs)):
        raise TrainingError(f"the cost matrix {path} has no cost over 0: nothing would be decided by it")
    return tuple(map(tuple, costs))


def _check_label(path: Path, label: str, classes: Sequence[str]) -> None:
    if label not in classes:
        raise TrainingError(f"the cost matrix {path} names {label!r}, which is none of {', '.join(classes)}")


def _check_cost(path: Path, answer: str, truth: str, cost: object) -> None:
    if isinstance(cost, bool) or not isinstance(cost, int | float) or not 0 <= cost <= LARGEST:
        came, rule = json.dumps(cost)[:40], f"a number from 0 to {LARGEST:g}"
        raise TrainingError(f"the cost matrix {path} has {came} for {answer!r} where {truth!r}: {rule}")
