"""`GET /metrics` counts what the fast lane and the application did."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from service.app import create_app
from service.contract.policy import ThresholdPolicy
from service.inference.prediction_id import PredictionIds
from service.monitoring.feedback.feedback import Feedback
from service.monitoring.feedback.store import MAX_THRESHOLDS, FeedbackStore
from service.settings import Settings
from tests import tiny
from tests.service.http.server.test_fast_lane import running
from tests.service.http.server.test_processes import _wait_until
from tests.service.monitoring.metrics.scraped import Scraped, read

RAW = {"content-type": "application/octet-stream"}
IMAGE = bytes(tiny.IMAGES[1])  # of confidence 9/11


def _scrape(client: TestClient | httpx2.Client) -> Scraped:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return read(answer.text)


def test_decisions_are_those_of_the_answers(client: TestClient) -> None:
    decisions = [
        prediction["reason"] or "answer"
        for query in ("", "?selective_risk=0.1", "?selective_risk=0.1", "?threshold=0.9", "?threshold=0.95")
        for prediction in client.post(f"/predict{query}", content=tiny.IMAGES.tobytes(), headers=RAW).json()[
            "predictions"
        ]
    ]
    tensor = {"name": "images", "shape": [1, 1, 2], "datatype": "UINT8", "data": [255, 0]}
    client.post("/v2/models/tiny/infer", json={"inputs": [tensor], "parameters": {"never_abstain": True}})
    scraped = _scrape(client)
    assert scraped.value("demur_inputs_total", model="tiny") == len(decisions) + 1 == 21
    for decision in ("answer", "low_confidence"):
        count = scraped.total("demur_decisions_total", decision=decision)
        assert count == decisions.count(decision) + (decision == "answer") > 0
    assert scraped.value("demur_decisions_total", model="tiny", policy="selective_risk=0.1", decision="answer") == 4
    of_thresholds = scraped.total("demur_decisions_total", policy="threshold")
    assert of_thresholds == 8
    assert scraped.value("demur_confidence_count", model="tiny") == 21
    nine_of_eleven, third = 9 / 11, 1 / 3
    total = 5 * (third + 2 * nine_of_eleven + 9 / 19) + nine_of_eleven
    assert scraped.value("demur_confidence_sum", model="tiny") == pytest.approx(total)
    assert scraped.value("demur_confidence_bucket", model="tiny", le="0.5") == 10
    assert scraped.value("demur_confidence_bucket", model="tiny", le="0.9") == 21


def test_requests_by_route_and_status(client: TestClient) -> None:
    client.post("/predict", content=IMAGE, headers=RAW)
    client.post("/models/tiny/predict", content=IMAGE, headers=RAW)
    client.post("/predict", content=b"x", headers=RAW)
    client.post("/v2/models/tiny/infer", json={})
    for path in ("/a", "/b", "/models/tiny/c"):
        assert client.get(path).status_code == 404
    client.head("/livez")
    client.request("BREW", "/livez")
    scraped = _scrape(client)
    for route in ("/predict", "/models/{name}/predict"):
        assert scraped.value("demur_requests_total", method="POST", route=route, status="200") == 1
        assert scraped.value("demur_request_duration_seconds_count", route=route, status="200") == 1
        assert 0 < scraped.value("demur_request_duration_seconds_sum", route=route, status="200") < 60
    assert scraped.value("demur_requests_total", method="POST", route="/predict", status="422") == 1
    assert scraped.value("demur_requests_total", method="POST", route="/v2/models/{name}/infer", status="400") == 1
    assert scraped.total("demur_requests_total", route="unmatched", status="404") == 3
    assert scraped.value("demur_requests_total", method="HEAD", route="/livez", status="200") == 1
    routes = set(client.get("/openapi.json").json()["paths"])
    assert scraped.labels("demur_requests_total", "route") <= {*routes, "unmatched"}
    assert scraped.labels("demur_requests_total", "method") <= {"GET", "POST", "HEAD", "other"}
    again = _scrape(client)
    assert again.value("demur_requests_total", method="GET", route="/metrics", status="200") == 1


def test_client_chosen_text_is_never_a_label(client: TestClient) -> None:
    before = len(_scrape(client).samples)
    for i in range(20):
        client.get(f"/nothing/{i}")
        client.get(f"/models/unknown-{i}/drift")
        client.request(f"METHOD{i}", "/livez")
        client.post(f"/predict?threshold={i / 100}", content=IMAGE, headers=RAW)
    first = len(_scrape(client).samples)
    for i in range(20, 40):
        client.get(f"/nothing/{i}")
        client.get(f"/models/unknown-{i}/drift")
        client.request(f"METHOD{i}", "/livez")
        client.post(f"/predict?threshold={i / 100}", content=IMAGE, headers=RAW)
    assert before < first == len(_scrape(client).samples)


def test_lane_and_application_count_alike(tiny_model: Path) -> None:
    app = create_app(Settings(model_path=tiny_model))
    with running(app) as port, httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(5):
            assert client.post("/predict?selective_risk=0.1", content=IMAGE, headers=RAW).status_code == 200
        by_lane = _scrape(client)
        twice = [*RAW.items(), ("expect", "100-continue")]  # which the lane leaves to the application
        for _ in range(5):
            assert client.post("/predict?selective_risk=0.1", content=IMAGE, headers=twice).status_code == 200
        both = _scrape(client)
    for name in ("demur_decisions_total", "demur_inputs_total", "demur_confidence_count", "demur_confidence_sum"):
        assert both.total(name) == pytest.approx(2 * by_lane.total(name))
        assert by_lane.total(name) > 0
    assert by_lane.value("demur_requests_total", method="POST", route="/predict", status="200") == 5
    assert both.value("demur_requests_total", method="POST", route="/predict", status="200") == 10


def test_request_with_an_incomplete_body_is_in_flight(tiny_model: Path) -> None:
    app = create_app(Settings(model_path=tiny_model))
    with running(app) as port, httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert _scrape(client).value("demur_requests_in_flight") == 1  # the scrape itself
        with socket.create_connection(("127.0.0.1", port)) as waiting:
            waiting.sendall(b"POST /feedback HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n{")
            _wait_until(lambda: _scrape(client).value("demur_requests_in_flight") == 2)
        _wait_until(lambda: _scrape(client).value("demur_requests_in_flight") == 1)
        scraped = _scrape(client)
    assert scraped.total("demur_requests_total", status="500") == 0  # a client that hangs up is no fault of the service


@pytest.fixture
def audited(tiny_model: Path) -> Iterator[TestClient]:
    """The application, which audits every answer."""
    with TestClient(create_app(Settings(model_path=tiny_model, audit_share=1))) as client:
        yield client


def test_feedback_metrics_equal_the_route(audited: TestClient) -> None:
    client = audited
    policies = ("selective_risk=0.1", "reject_cost=0.2", "never_abstain=true", "threshold=0.5", "threshold=0.6")
    for policy in policies:
        answers = [client.post(f"/predict?{policy}", content=IMAGE, headers=RAW).json() for _ in range(3)]
        for answer, label in zip(answers, ("left", "right", "left"), strict=True):
            client.post("/feedback", json={"id": answer["predictions"][0]["id"], "label": label})
    scraped = _scrape(client)
    states = {state["policy"]["kind"]: state for state in client.get("/feedback").json()["policies"]}
    for kind, name in (
        ("selective_risk", "selective_risk=0.1"),
        ("reject_cost", "reject_cost=0.2"),
        ("never_abstain", "never_abstain"),
    ):
        labels = {"model": "tiny", "policy": name}
        assert scraped.value("demur_feedback_answers_total", **labels) == states[kind]["answered"] == 3
        assert scraped.value("demur_feedback_errors_total", **labels) == states[kind]["errors"] == 1
        assert scraped.value("demur_feedback_judged_total", **labels) == states[kind]["judged"] == 3
        assert scraped.value("demur_feedback_missing_total", **labels) == states[kind]["missing"] == 0
        assert scraped.value("demur_feedback_risk_ratio", **labels) == states[kind]["selective_risk"]
        assert scraped.value("demur_feedback_risk_lower_bound_ratio", **labels) == states[kind]["risk_lower_bound"]
        assert scraped.value("demur_feedback_risk_upper_bound_ratio", **labels) == states[kind]["risk_upper_bound"]
    cost = scraped.value("demur_feedback_answer_cost", model="tiny", policy="reject_cost=0.2")
    assert cost == states["reject_cost"]["answer_cost"]
    assert scraped.value("demur_feedback_answers_total", model="tiny", policy="threshold") == 6
    assert scraped.value("demur_feedback_errors_total", model="tiny", policy="threshold") == 2
    assert scraped.value("demur_feedback_judged_total", model="tiny", policy="threshold") == 6
    assert scraped.labels("demur_feedback_risk_ratio", "policy") == {
        "selective_risk=0.1",
        "reject_cost=0.2",
        "never_abstain",
    }


def test_certificate_holds_until_feedback_refutes_it(audited: TestClient) -> None:
    client = audited
    labels = {"model": "tiny", "policy": "selective_risk=0.1"}
    scraped = _scrape(client)
    assert scraped.value("demur_certificate_holds", **labels) == 1
    assert scraped.value("demur_certificate_promise", **labels) == 0.1
    assert scraped.value("demur_certificate_coverage_ratio", **labels) == 0.5
    certified = {"selective_risk=0.1", "reject_cost=0.2"}
    assert (
        scraped.labels("demur_certificate_holds", "policy") == certified
    )  # an infeasible policy has no certificate to lose
    for _ in range(10):
        answer = client.post("/predict?selective_risk=0.1", content=IMAGE, headers=RAW).json()
        client.post("/feedback", json={"id": answer["predictions"][0]["id"], "label": "right"})
    scraped = _scrape(client)
    assert client.get("/feedback").json()["policies"][0]["promise"] == "broken"
    assert scraped.value("demur_certificate_holds", **labels) == 0
    assert scraped.value("demur_certificate_holds", model="tiny", policy="reject_cost=0.2") == 1


def test_feedback_on_thresholds_never_falls_when_some_are_forgotten() -> None:
    feedback = Feedback(tiny.manifest(), "0123456789ab", FeedbackStore(None, 10_000), counted="all")
    ids = PredictionIds("0123456789ab")
    for i in range(MAX_THRESHOLDS + 50):
        give = ids.under(ThresholdPolicy(threshold=i / 1000))
        for label, truth in ((1, "left"), (1, "right"), (None, "dark")):
            feedback.record(give(label)[0], truth)
    assert feedback.of_thresholds() == (2 * 150, 150, 150, 2 * 150, 0)
    assert len(feedback.states()) == MAX_THRESHOLDS
    assert feedback.states(made_up=False) == []


def test_drift_metrics_equal_the_route(client: TestClient) -> None:
    scraped = _scrape(client)
    assert scraped.value("demur_drift_inputs", model="tiny") == 0
    assert scraped.value("demur_drift_drifted", model="tiny", statistic="labels") == 0
    assert scraped.labels("demur_drift_psi", "statistic") == set()  # too few inputs have none
    for _ in range(2):
        client.post("/predict", content=IMAGE * 300, headers=RAW)
        scraped, drift = _scrape(client), client.get("/drift").json()
        assert scraped.value("demur_drift_inputs", model="tiny") == drift["inputs"]
        for statistic in ("labels", "confidence", "ood_score"):
            labels = {"model": "tiny", "statistic": statistic}
            assert scraped.value("demur_drift_psi", **labels) == drift[statistic]["psi"]
            assert scraped.value("demur_drift_p_value", **labels) == drift[statistic]["p_value"]
            assert scraped.value("demur_drift_drifted", **labels) == (drift[statistic]["status"] == "drifted") == 1


def test_drift_of_many_models_is_tested_in_turn(tmp_path: Path) -> None:
    names = [f"model-{i}" for i in range(12)]
    for name in names:
        (tmp_path / f"{name}.onnx").write_bytes(tiny.write(tmp_path).read_bytes())
    (tmp_path / "model.onnx").unlink()
    with TestClient(create_app(Settings(models=tmp_path))) as client:
        for _ in range(2):
            for name in names:
                client.post(f"/models/{name}/predict", content=IMAGE * 200, headers=RAW)
            inputs = client.get("/models/model-3/drift").json()["inputs"]
            for _ in names:
                scraped = _scrape(client)
            assert {scraped.value("demur_drift_inputs", model=name) for name in names} == {inputs}


def test_unproved_model_is_not_ready(tmp_path: Path) -> None:
    tiny.write(tmp_path).rename(tmp_path / "good.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with TestClient(create_app(Settings(models=tmp_path))) as client:
        scraped = _scrape(client)
        version = client.get("/models/good").json()["version"]
    assert scraped.value("demur_model_ready", model="good") == 1
    assert scraped.value("demur_model_ready", model="bad") == 0
    assert scraped.value("demur_model_info", model="good", version=version, kind="image") == 1
    assert scraped.value("demur_ready") == 1
    assert scraped.value("demur_draining") == 0


def test_model_name_is_escaped(tmp_path: Path) -> None:
    name = 'a "b" \\c{d}'
    tiny.write(tmp_path).rename(tmp_path / f"{name}.onnx")
    with TestClient(create_app(Settings(models=tmp_path))) as client:
        client.post("/predict", content=IMAGE, headers=RAW)
        assert _scrape(client).value("demur_inputs_total", model=name) == 1


def test_scrape_formats(client: TestClient) -> None:
    plain = client.get("/metrics", headers={"accept-encoding": "identity"})
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "content-encoding" not in plain.headers
    headers = {"accept": "application/openmetrics-text; version=1.0.0, text/plain;q=0.5", "accept-encoding": "gzip"}
    answer = client.get("/metrics", headers=headers)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    strictly = text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
    families = {family.name for family in strictly}
    assert {"demur_requests", "demur_decisions", "demur_confidence", "process_cpu_seconds"} <= families
    described = client.get("/openapi.json").json()["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    assert described == {"text/plain": {"schema": {"type": "string"}}}


def test_applications_of_one_process_count_separately(tiny_model: Path, client: TestClient) -> None:
    client.post("/predict", content=IMAGE, headers=RAW)
    with TestClient(create_app(Settings(model_path=tiny_model))) as other:
        assert _scrape(other).value("demur_inputs_total", model="tiny") == 0
    assert _scrape(client).value("demur_inputs_total", model="tiny") == 1
