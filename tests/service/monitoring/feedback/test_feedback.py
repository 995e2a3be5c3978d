"""Feedback: true labels are counted once, by policy, and test the certificates."""

import base64
import logging
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.contract.errors import InvalidValue
from service.contract.policy import Policy, PolicyRequest
from service.inference.decision import resolve
from service.inference.prediction_id import PredictionIds
from service.monitoring.feedback.feedback import Feedback
from service.monitoring.feedback.store import MAX_THRESHOLDS, FeedbackStore
from service.settings import FeedbackCounts, Settings
from tests import tiny
from tests.service.canon import assert_problem

VERSION = "0123456789ab"
LEFT, RIGHT = 1, 2  # labels of the tiny model
DEADLINE = 1000.0


def _feedback(
    cost_matrix: list[list[float]] | None = None,
    max_remembered: int = 1000,
    counted: FeedbackCounts = "all",
    now: Callable[[], float] = time.time,
    store: FeedbackStore | None = None,
) -> Feedback:
    abstention = tiny.abstention().model_copy(update={"cost_matrix": cost_matrix})
    manifest = tiny.manifest().model_copy(update={"abstention": abstention})
    store = store or FeedbackStore(None, max_remembered)
    return Feedback(manifest, VERSION, store, counted=counted, deadline_seconds=DEADLINE, now=now)


def _policy(**options: Any) -> Policy:
    return resolve(PolicyRequest(**options), tiny.abstention())


def _id(label: int | None, **options: Any) -> str:
    return PredictionIds(VERSION).under(_policy(**options))(label)[0]


def _predict(client: TestClient, query: str = "selective_risk=0.1") -> str:
    headers = {"content-type": "application/octet-stream"}
    answer = client.post(f"/predict?{query}", content=bytes([255, 0]), headers=headers).json()
    identity: str = answer["predictions"][0]["id"]
    return identity


@pytest.fixture
def client(tiny_model: Any) -> Iterator[TestClient]:
    """The application, which audits every answer."""
    with TestClient(create_app(Settings(model_path=tiny_model, audit_share=1))) as client:
        yield client


def test_feedback_over_http(client: TestClient) -> None:
    right, wrong = _predict(client), _predict(client)
    assert client.post("/feedback", json={"id": right, "label": "left"}).json()["errors"] == 0
    answer = client.post("/feedback", json={"id": wrong, "label": "dark"})
    assert answer.status_code == 200
    summary = client.get("/feedback").json()
    assert summary["model"]["name"] == "tiny"
    assert summary["policies"] == [answer.json()]
    (state,) = summary["policies"]
    assert state["policy"]["selective_risk"] == 0.1
    assert (state["answered"], state["errors"], state["abstained"]) == (2, 1, 0)
    assert (state["judged"], state["judged_errors"], state["missing"], state["waiting"]) == (2, 1, 0, 0)
    assert state["selective_risk"] == 0.5
    assert state["risk_lower_bound"] < 0.1 < 0.5 < state["risk_upper_bound"]
    assert (state["promise"], state["warning"]) == ("open", None)


def test_abstentions_are_counted_separately(client: TestClient) -> None:
    identity = _predict(client, "threshold=0.9")
    state = client.post("/feedback", json={"id": identity, "label": "left"}).json()
    assert (state["answered"], state["abstained"], state["selective_risk"]) == (0, 1, None)
    assert state["promise"] is None  # a threshold set by hand promises nothing


def test_policies_are_counted_separately(client: TestClient) -> None:
    for query in ("selective_risk=0.1", "reject_cost=0.2", "threshold=0.5", "threshold=0.6", "never_abstain=true"):
        client.post("/feedback", json={"id": _predict(client, query), "label": "left"})
    assert [state["answered"] for state in client.get("/feedback").json()["policies"]] == [1] * 5


def test_same_feedback_twice_counts_once(client: TestClient) -> None:
    identity = _predict(client)
    answers = [client.post("/feedback", json={"id": identity, "label": "left"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[1]["answered"] == 1


def test_other_label_for_the_same_prediction_is_a_conflict(client: TestClient) -> None:
    identity = _predict(client)
    client.post("/feedback", json={"id": identity, "label": "left"})
    refused = client.post("/feedback", json={"id": identity, "label": "right"})
    assert_problem(refused, 409, identity, "already has feedback with another label")
    assert client.get("/feedback").json()["policies"][0]["errors"] == 0


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no id": ({"label": "left"}, "id is missing"),
    "no label": ({"id": _id(LEFT, selective_risk=0.1)}, "label is missing"),
    "an unknown label": ({"id": _id(LEFT, selective_risk=0.1), "label": "up"}, 'label="up" is not one of dark, left'),
    "not base64": ({"id": "@@", "label": "left"}, 'id="@@" is not the id of a prediction'),
    "not ASCII": ({"id": "é" * 40, "label": "left"}, "is not the id of a prediction"),
    "too short": ({"id": "AAAA", "label": "left"}, 'id="AAAA" is not the id of a prediction'),
    "too long": ({"id": "A" * 300, "label": "left"}, "at most 200 characters"),
    "another model's": (
        {"id": PredictionIds("f" * 12).under(_policy(threshold=0.5))(1)[0], "label": "left"},
        "id is of model ffffffffffff, and this is ",
    ),
    "a number": ({"id": 7, "label": "left"}, "id=7: input should be a valid string"),
    "one field more": ({"id": "AAAA", "label": "left", "note": ""}, "note: no such field"),
}


@pytest.mark.parametrize(("body", "message"), BAD.values(), ids=BAD)
def test_bad_feedback_names_the_error(client: TestClient, body: dict[str, Any], message: str) -> None:
    if body.get("label") == "up" or "label" not in body:
        body = {**body, "id": _predict(client)}
    assert_problem(client.post("/feedback", json=body), 422, message)
    assert client.get("/feedback").json()["policies"] == []


def test_feedback_is_json(client: TestClient) -> None:
    text = {"content-type": "text/plain"}
    assert_problem(
        client.post("/feedback", content=b"{}", headers=text),
        415,
        "content type text/plain is not supported: send application/json",
    )
    json_type = {"content-type": "application/json"}
    assert_problem(client.post("/feedback", content=b"[]", headers=json_type), 422, "must be an object that holds id")
    assert_problem(client.post("/feedback", content=b"{", headers=json_type), 400, "the body is not JSON")
    assert_problem(client.post("/feedback", content=b" " * 9000, headers=json_type), 413, "at most 8192 are allowed")


def _forged(kind: int, value: float, label: int) -> str:
    raw = struct.pack(">7s6sBdII", b"", bytes.fromhex(VERSION), kind, value, label, 1)
    return base64.urlsafe_b64encode(raw).decode()


@pytest.mark.parametrize(
    "text",
    [_forged(0, 0.5, 99), _forged(0, 7.0, 0), _forged(0, float("nan"), 0), _forged(1, 0.07, 0), _forged(9, 0.5, 0)],
    ids=["no such label", "no such threshold", "not a number", "no such certificate", "no such policy"],
)
def test_id_that_was_never_given_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="is not the id of a prediction"):
        _feedback().record(text, "left")


def test_broken_promise_is_logged_once_and_stays_broken(caplog: pytest.LogCaptureFixture) -> None:
    feedback = _feedback()
    with caplog.at_level(logging.WARNING, logger="demur"):
        states = [feedback.record(_id(LEFT, selective_risk=0.1), "right") for _ in range(10)]
        after = [feedback.record(_id(LEFT, selective_risk=0.1), "left") for _ in range(500)]
    assert states[0].promise == "open"
    assert states[-1].promise == "broken"
    assert states[-1].warning is not None
    reason = "5 of 5 answers were wrong, and a sequential test at level 0.05 rejects that the risk is at most 0.1"
    assert f"the certificate of selective_risk=0.1 no longer holds: {reason}" == states[-1].warning
    assert after[-1].selective_risk is not None
    assert after[-1].selective_risk < 0.1
    assert (after[-1].promise, after[-1].warning) == ("broken", states[-1].warning)  # the wording of the alarm
    (record,) = caplog.records
    assert "no longer holds" in record.getMessage()


def test_promise_is_confirmed_when_the_feedback_alone_shows_it() -> None:
    feedback = _feedback()
    states = [feedback.record(_id(LEFT, selective_risk=0.1), "left") for _ in range(100)]
    assert states[0].promise == "open"
    assert states[-1].promise == "confirmed"


def test_cost_of_answers_is_compared_with_the_reject_cost() -> None:
    matrix = [[0.0, 1.0, 1.0], [4.0, 0.0, 0.5], [1.0, 1.0, 0.0]]
    feedback = _feedback(matrix)
    state = feedback.record(_id(LEFT, reject_cost=0.2), "right")
    assert (state.answer_cost, state.promise) == (0.5, "open")
    for _ in range(10):
        state = feedback.record(_id(LEFT, reject_cost=0.2), "dark")
    assert state.answer_cost == pytest.approx(40.5 / 11)
    assert state.promise == "broken"
    assert state.warning is not None
    assert "answers cost" in state.warning
    assert "rejects that an answer costs at most 0.2 on average" in state.warning


def test_infeasible_policy_has_no_promise_to_break() -> None:
    assert _feedback().record(_id(None, selective_risk=0.01), "left").promise is None


def test_memory_is_bounded() -> None:
    feedback = _feedback()
    for step in range(2 * MAX_THRESHOLDS):
        feedback.record(_id(LEFT, threshold=step / 1000), "left")
    assert len(feedback.states()) == MAX_THRESHOLDS


def test_forgotten_id_does_not_count_again() -> None:
    feedback, moment = _feedback(max_remembered=3), 0
    give = PredictionIds(VERSION, now=lambda: moment).under(_policy(threshold=0.5))
    ids = []
    for moment in (100, 200, 300, 300, 500):  # noqa: B007
        ids.append(give(LEFT)[0])
    for identity in (
        ids[4],
        ids[0],
        ids[2],
        ids[1],
    ):  # the oldest by its own time is forgotten, not the first to arrive
        state = feedback.record(identity, "left")
    assert state.answered == 4
    assert feedback.record(ids[4], "left").answered == 4  # remembered
    with pytest.raises(InvalidValue, match=r"is older than the remembered labels.*DEMUR_MAX_FEEDBACK"):
        feedback.record(ids[0], "left")
    assert feedback.record(ids[3], "left").answered == 5  # newer than the last forgotten one
    with pytest.raises(InvalidValue, match="is older than"):
        feedback.record(ids[1], "right")
    assert [state.answered for state in feedback.states()] == [5]


def test_made_up_value_of_a_policy_without_one_is_ignored() -> None:
    feedback = _feedback()
    for value in (0.0, 1.0, 2.0, float("nan"), float("inf")):
        feedback.record(_forged(3, value, LEFT), "left")
    assert len(feedback.states()) == 1


def test_certificates_are_never_dropped_for_thresholds_that_clients_choose() -> None:
    feedback = _feedback()
    feedback.record(_id(LEFT, selective_risk=0.1), "left")
    for step in range(2 * MAX_THRESHOLDS):
        feedback.record(_id(LEFT, threshold=step / 1000), "left")
    assert any(state.policy.kind == "selective_risk" for state in feedback.states())


def test_id_survives_a_restart(tiny_model: Any) -> None:
    settings = Settings(model_path=tiny_model)
    with TestClient(create_app(settings)) as before:
        identity = _predict(before)
    with TestClient(create_app(settings)) as after:
        assert after.post("/feedback", json={"id": identity, "label": "left"}).json()["answered"] == 1
