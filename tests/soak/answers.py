"""The expected answers: those of each version of the models, served alone."""

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
# A batch of another size is summed in another order, in float64; scores are rounded to float32.
_TOLERANCE = 1e-6


class Answers:
    """The right answers of several versions."""

    def __init__(self) -> None:
        self._expected: dict[str, list[Answer]] = {}

    async def learn(self, folder: Path, questions: list[Question]) -> None:
        """Send the questions one by one to a separate service with the models of `folder`, and keep the answers."""
        with serving(folder / f"{NAMES[0]}.onnx", DEMUR_MODELS=str(folder), DEMUR_DEFAULT_MODEL=NAMES[0]) as server:
            async with Connection(server.port) as connection:
                for question in questions:
                    answer = await connection.ask(question.message)
                    if answer.status != 200:
                        raise AssertionError(f"{question.name}: {answer.status} {answer.body[:200]!r}")
                    if question.fixed:
                        self._expected.setdefault(question.name, []).append(_without_ids(answer))

    def differ(self, question: Question) -> bool:
        """Whether all versions answer differently, so that a mixed answer is recognised."""
        expected = self._expected[question.name]
        return all(not alike(one, other) for i, one in enumerate(expected) for other in expected[:i])

    def is_right(self, question: Question, answer: Answer) -> bool:
        """Whether the answer is that of one of the versions."""
        if answer.status != 200:
            return False
        return not question.fixed or any(alike(answer, expected) for expected in self._expected[question.name])


def alike(one: Answer, other: Answer) -> bool:
    """Whether the answers are equal except for ids and the last digit of a number.

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
