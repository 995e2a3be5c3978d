"""The soak recognises a wrong answer, and a short soak is clean."""

import asyncio

import pytest

from tests.soak import steady
from tests.soak.answers import Answers, alike
from tests.soak.connection import Answer
from tests.soak.models import write_version
from tests.soak.questions import questions
from tests.soak.tally import Tally

# These answers depend on the request or the file, not on the weights.
_OF_NO_VERSION = {"pictures, shown", "samples"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """The expected answers of two versions."""
    learnt = Answers()
    for version in range(2):
        folder = tmp_path_factory.mktemp("version")
        write_version(folder, version)
        asyncio.run(learnt.learn(folder, questions()))
    return learnt


def test_no_answer_is_right_for_two_versions(answers: Answers) -> None:
    """Otherwise a mixed answer would go unnoticed."""
    assert {
        question.name for question in questions() if question.fixed and not answers.differ(question)
    } == _OF_NO_VERSION


def test_names_of_questions_differ() -> None:
    names = [question.name for question in questions()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("body", "same"),
    [
        (b'{"id":"Z8qRdO-v7zDlcv-6hQE_qZmZmZmZmgAAAAlpJPGA","p":[0.25,"a"]}', True),
        (b'{"id":"Z8qRdO-v7zDlcv-6hQE_qZmZmZmZmgABAH9pJPGA","p":[0.25,"a"]}', True),
        (b'{"id":"Z8qRdO-v7zDlcv-6hQE_qZmZmZmZmgAAAAlpJPGA","p":[0.25000003,"a"]}', True),
        (b'{"id":"Z8qRdO-v7zDlcv-6hQE_qZmZmZmZmgAAAAlpJPGA","p":[0.251,"a"]}', False),
        (b'{"id":"Z8qRdO-v7zDlcv-6hQE_qZmZmZmZmgAAAAlpJPGA","p":[0.25,"b"]}', False),
        (b'{"id":"Z8qRdO-v7zDlcv-6hQE_qZmZmZmZmgAAAAlpJPGA","p":[0.25]}', False),
        (b"", False),
    ],
)
def test_alike(body: bytes, same: bool) -> None:
    known = Answer(200, {}, b'{"id":"Z8qRdO-v7zDlcv-6hQE_qZmZmZmZmgAAAAlpJPGA","p":[0.25,"a"]}')
    assert alike(Answer(200, {}, body), known) is same
    assert not alike(Answer(503, {}, body), known)
    assert not alike(Answer(200, {b"demur-model": b"tiny/0"}, body), known)


def test_steady_service_is_clean() -> None:
    result = asyncio.run(steady.run(400, parts=2, settled_seconds=0))
    assert result.tally.faults == []
    assert result.tally.client("good").answered == 400
    assert [held.descriptors for held in result.looks] == [result.looks[0].descriptors] * 2


@pytest.mark.parametrize(
    "line", ['{"level":"error","message":"request 1 failed"}', "Traceback (most recent call last):"]
)
def test_fault_in_a_log_is_noted(line: str) -> None:
    tally = Tally()
    tally.client("good").answered += 1
    assert tally.is_clean
    tally.errors_in(['{"level":"info"}', line])
    assert not tally.is_clean
