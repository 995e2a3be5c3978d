"""Good clients: they send requests one after another, and compare each answer with the expected one."""

import itertools
import json
import random
from collections.abc import Callable, Sequence
from http import HTTPStatus

from tests.soak.answers import Answers
from tests.soak.connection import Answer, Connection, Lost
from tests.soak.questions import Question, feedback
from tests.soak.tally import Tally, reason_of


async def ask_on(
    port: int,
    questions: Sequence[Question],
    answers: Answers,
    tally: Tally,
    seed: int,
    should_continue: Callable[[], bool],
) -> None:
    """Run one client, which sends feedback on some of its predictions."""
    draw = random.Random(seed)
    counts = tally.client("good")
    often = list(itertools.accumulate(0.1 if question.rare else 1 for question in questions))
    async with Connection(port) as connection:
        question = questions[0]
        while should_continue():
            counts.sent += 1
            (following,) = draw.choices(questions, cum_weights=often)
            try:
                answer = await connection.ask(question.message)
            except Lost as loss:
                tally.lost(counts, f"{question.name}: {loss}")
                question = following
                continue
            if answers.is_right(question, answer):
                counts.answered += 1
                following = _feedback_on(question, answer, draw) or following
            elif answer.status == HTTPStatus.SERVICE_UNAVAILABLE and b"retry-after" in answer.headers:
                counts.refused[reason_of(answer)] += 1
            elif answer.status in question.allowed:
                counts.refused[f"{reason_of(answer)}, {question.name}"] += 1
            else:
                tally.wrong(counts, f"{question.name}: {answer.status} {answer.body[:300]!r}")
            question = following


def _feedback_on(question: Question, answer: Answer, draw: random.Random) -> Question | None:
    """Feedback on the first prediction of one answer in twenty."""
    if not question.path.endswith("/predict") or draw.random() > 0.05:
        return None
    if answer.headers.get(b"content-type") != b"application/json":
        return None
    prediction = json.loads(answer.body)["predictions"][0]
    return feedback(question.path.replace("/predict", "/feedback"), prediction["id"], draw.choice(["dark", "left"]))
