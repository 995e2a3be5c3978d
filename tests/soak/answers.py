"""The expected answers: those of each version of the models by itself."""

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

from tests.server import serving
from tests.soak.connection import Answer, Connection
from tests.soak.models import NAMES
from tests.soak.questions import Question

# What differs between two answers to the same question: the id that each prediction has, and whether it is audited.
_ID = re.compile(rb'"id":"[^"]{30,}"(,"audit":(true|false))?')
_COMPARED = (b"content-type", b"content-encoding", b"demur-model", b"demur-policy")
# A batch of another size is summed in another order, in float64; what is given out is rounded to float32.
_TOLERANCE = 1e-6


class Answers:
    """The right answers of several versions."""

    def __init__(self) -> None:
        self._known: dict[str, list[Answer]] = {}

    async def learn(self, folder: Path, questions: list[Question]) -> None:
        """Ask a service of its own that serves the models of `folder`, one question at a time."""
        with serving(folder / f"{NAMES[0]}.onnx", DEMUR_MODELS=str(folder), DEMUR_DEFAULT_MODEL=NAMES[0]) as server:
            async with Connection(server.port) as connection:
                for question in questions:
                    answer = await connection.ask(question.message)
                    if answer.status != 200:
                        raise AssertionError(f"{question.name}: {answer.status} {answer.body[:200]!r}")
                    if question.fixed:
                        self._known.setdefault(question.name, []).append(_without_ids(answer))

    def differ(self, question: Question) -> bool:
        """Whether each version that was learnt answers otherwise, so that a mixed answer would be none of them."""
        known = self._known[question.name]
        return all(not alike(one, other) for i, one in enumerate(known) for other in known[:i])

    def is_right(self, question: Question, answer: Answer) -> bool:
        """Whether the whole answer is that of one of the versions."""
        if answer.status != 200:
            return False
        return not question.fixed or any(alike(answer, known) for known in self._known[question.name])


def alike(one: Answer, other: Answer) -> bool:
    """The same, but for the ids and the last digit of a number.

    >>> alike(Answer(200, {}, b"[0.25]"), Answer(200, {}, b"[0.25]"))
    True
    >>> alike(Answer(200, {}, b"[0.25]"), Answer(200, {}, b"[0.2501]"))
    False
    """
    if one.status != other.status or any(one.headers.get(name) != other.headers.get(name) for name in _COMPARED):
        return False
    first, second = _without_ids(one).body, _without_ids(other).body
    return first == second or _close(_values(first), _values(second))


def _without_ids(answer: Answer) -> Answer:
    if b'"id":"' not in answer.body:
        return answer
    return dataclasses.replace(answer, body=_ID.sub(b'"id":0', answer.body))


def _values(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=_TOLERANCE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_close, one, other))
    return bool(one == other)
