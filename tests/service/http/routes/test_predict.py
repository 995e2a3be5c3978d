"""`POST /predict` with the tiny model, whose answers are worked out by hand in `tests/tiny.py`."""

import base64
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.app import create_app
from service.contract.policy import PolicyRequest
from service.http.predict_request import INLINE_BODY_BYTES
from service.http.schemas.predict import PredictResponse
from service.settings import Settings
from tests import tiny
from tests.service.canon import assert_problem
from tests.service.pictures import blank, encoded
from training.publishing.export import to_onnx

RAW = {"content-type": "application/octet-stream"}
LEFT = tiny.IMAGES[1]  # [255, 0]: 1/11, 9/11, 1/11


def _ask(client: TestClient, **body: Any) -> PredictResponse:
    answer = client.post("/predict", json={"inputs": [LEFT.tolist()], **body})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return PredictResponse.model_validate(answer.json())


def _without_ids(predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    varying = {"id", "audit"}
    return [{name: value for name, value in prediction.items() if name not in varying} for prediction in predictions]


BODIES: dict[str, tuple[str, bytes]] = {
    "rows": ("application/json", json.dumps({"inputs": tiny.IMAGES.tolist()}).encode()),
    "flat": ("application/json", json.dumps({"inputs": tiny.IMAGES.reshape(4, 2).tolist()}).encode()),
    "base64 of bytes": (
        "application/json",
        json.dumps({"inputs": [base64.b64encode(image.tobytes()).decode() for image in tiny.IMAGES]}).encode(),
    ),
    "base64 of PNG": (
        "application/json",
        json.dumps(
            {"inputs": [base64.b64encode(encoded(Image.fromarray(image))).decode() for image in tiny.IMAGES]}
        ).encode(),
    ),
    "base64 as TensorFlow Serving writes it": (
        "application/json",
        json.dumps({"inputs": [{"b64": base64.b64encode(image.tobytes()).decode()} for image in tiny.IMAGES]}).encode(),
    ),
    "a byte order mark": ("application/json", b"\xef\xbb\xbf" + json.dumps({"inputs": tiny.IMAGES.tolist()}).encode()),
    "a type of JSON": ("application/vnd.tiny+json", json.dumps({"inputs": tiny.IMAGES.tolist()}).encode()),
    "raw bytes": ("application/octet-stream", tiny.IMAGES.tobytes()),
    "a content type with a parameter": (
        "Application/JSON; charset=utf-8",
        b'{"inputs": [[0,0],[255,0],[0,255],[255,255]]}',
    ),
}


@pytest.mark.parametrize(("content_type", "body"), BODIES.values(), ids=BODIES)
def test_every_form_of_body_gives_the_same_answer(client: TestClient, content_type: str, body: bytes) -> None:
    answer = client.post("/predict", content=body, headers={"content-type": content_type})
    response = PredictResponse.model_validate(answer.json())
    probabilities = [prediction.probabilities or [] for prediction in response.predictions]
    np.testing.assert_allclose(probabilities, tiny.PROBABILITIES, atol=1e-7)
    assert [prediction.label for prediction in response.predictions] == ["dark", "left", "right", "left"]


@pytest.mark.parametrize(
    ("kind", "form"),
    [("png", "png"), ("png", "x-png"), ("png", "*"), ("jpeg", "jpeg"), ("jpeg", "jpg"), ("bmp", "x-ms-bmp")],
)
def test_one_picture(client: TestClient, kind: str, form: str) -> None:
    picture = encoded(
        Image.fromarray(np.full((1, 2), 255, np.uint8)), kind.upper(), **({"quality": 100} if kind == "jpeg" else {})
    )
    (prediction,) = client.post("/predict", content=picture, headers={"content-type": f"image/{form}"}).json()[
        "predictions"
    ]
    np.testing.assert_allclose(prediction["probabilities"], tiny.PROBABILITIES[3], atol=1e-7)


def test_answer_is_complete(client: TestClient) -> None:
    answer = client.post("/predict", json={"inputs": [LEFT.tolist()], "top_k": 2}).json()
    (prediction,) = answer["predictions"]
    version = client.get("/model").json()["version"]
    assert answer["model"] == {"name": "tiny", "version": version}
    assert answer["policy"] == {"kind": "never_abstain"}
    assert prediction["decision"] == "answer"
    assert prediction["label"] == "left"
    assert prediction["reason"] is None
    assert prediction["confidence"] == max(prediction["probabilities"]) == pytest.approx(9 / 11)
    assert prediction["top_k"] == [
        {"label": "left", "probability": prediction["probabilities"][1]},
        {"label": "dark", "probability": prediction["probabilities"][0]},
    ]


@pytest.mark.parametrize(("options", "count"), [({}, 3), ({"top_k": None}, 3), ({"top_k": 1}, 1), ({"top_k": 3}, 3)])
def test_top_k(client: TestClient, options: dict[str, Any], count: int) -> None:
    (prediction,) = _ask(client, **options).predictions
    assert len(prediction.top_k) == count
    assert prediction.top_k[0].label == "left"
    chances = [entry.probability for entry in prediction.top_k]
    assert chances == sorted(chances, reverse=True)


@pytest.mark.parametrize(("threshold", "label"), [(0.8, "left"), (0.82, None)])
def test_threshold_in_the_body(client: TestClient, threshold: float, label: str | None) -> None:
    response = _ask(client, policy={"threshold": threshold})
    (prediction,) = response.predictions
    assert response.policy.model_dump() == {"kind": "threshold", "threshold": threshold}
    assert prediction.label == label
    assert prediction.decision == ("answer" if label else "abstain")
    assert prediction.reason == (None if label else "low_confidence")
    # The probabilities are given even if the model abstains.
    assert prediction.top_k[0].label == "left"
    assert prediction.probabilities is not None
    assert len(prediction.probabilities) == 3


def test_options_in_the_query(client: TestClient) -> None:
    answer = client.post("/predict?top_k=1&threshold=0.9", content=LEFT.tobytes(), headers=RAW).json()
    assert answer["policy"] == {"kind": "threshold", "threshold": 0.9}
    assert answer["predictions"][0]["decision"] == "abstain"
    assert len(answer["predictions"][0]["top_k"]) == 1
    answer = client.post("/predict?never_abstain=true", content=LEFT.tobytes(), headers=RAW).json()
    assert answer["policy"] == {"kind": "never_abstain"}


def test_certified_risk_names_its_threshold_and_its_confidence(client: TestClient) -> None:
    response = _ask(client, policy={"selective_risk": 0.1})
    assert response.policy.model_dump() == {
        "kind": "selective_risk",
        "selective_risk": 0.1,
        "confidence_level": 0.95,
        "threshold": 0.8,
    }
    assert response.predictions[0].label == "left"  # 9/11 is over 0.8


def test_error_names_the_field_as_the_client_wrote_it(client: TestClient) -> None:
    by_query = client.post("/predict?selective_risk=0.04", content=LEFT.tobytes(), headers=RAW).json()
    by_body = client.post("/predict", json={"inputs": [[0, 0]], "policy": {"selective_risk": 0.04}}).json()
    assert [by_query["errors"][0]["field"], by_body["errors"][0]["field"]] == [
        "selective_risk",
        "policy.selective_risk",
    ]


def test_default_policy_that_never_answers_is_logged_at_the_start(
    tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(model_path=tiny_model, default_policy=PolicyRequest(selective_risk=0.01))
    with caplog.at_level(logging.WARNING, logger="demur"), TestClient(create_app(settings)) as client:
        assert _ask(client).predictions[0].reason == "no_certified_threshold"
    assert "the default policy could not be certified" in caplog.text


def test_infeasible_risk_abstains_with_its_reason(client: TestClient) -> None:
    response = _ask(client, policy={"selective_risk": 0.01})
    assert response.policy.model_dump()["threshold"] is None
    assert response.predictions[0].reason == "no_certified_threshold"


def test_reject_cost(client: TestClient) -> None:
    assert _ask(client, policy={"reject_cost": 0.2}).predictions[0].label == "left"  # 2/11 is under 0.2
    dark = client.post("/predict?reject_cost=0.2", content=bytes(2), headers=RAW).json()
    assert dark["predictions"][0]["reason"] == "expected_cost"  # 2/3 is not
    assert dark["policy"]["answer_cost_bound"] == 0.09


def test_inputs_unlike_the_training_images_are_out_of_distribution(tmp_path: Path) -> None:
    """[255, 255] has score 4, the others 1."""
    with TestClient(create_app(Settings(model_path=tiny.write(tmp_path, ood_threshold=2.0)))) as client:
        for query, reason in [("threshold=0", "out_of_distribution"), ("never_abstain=true", None)]:
            answer = client.post(f"/predict?{query}", content=tiny.IMAGES.tobytes(), headers=RAW).json()
            assert [prediction["reason"] for prediction in answer["predictions"]] == [None, None, None, reason]


@pytest.mark.parametrize(
    ("options", "method", "sets"),
    [
        ({}, "lac", [["dark"], ["left"], ["right"], ["left", "right"]]),  # >= 0.4, and the likeliest
        ({"set_coverage": 0.9}, "lac", [["dark"], ["left"], ["right"], ["left", "right"]]),
        (
            {"set_method": "lac_class_conditional"},  # dark >= 0.05, left >= 0.4, right >= 0.5
            "lac_class_conditional",
            [["dark"], ["dark", "left"], ["dark", "right"], ["dark", "left"]],
        ),
    ],
)
def test_prediction_sets(client: TestClient, options: dict[str, Any], method: str, sets: list[list[str]]) -> None:
    response = _ask(client, inputs=tiny.IMAGES.tolist(), **options)
    assert response.prediction_sets is not None
    assert response.prediction_sets.model_dump() == {"set_coverage": 0.9, "method": method}
    assert [prediction.prediction_set for prediction in response.predictions] == sets
    answer = client.post("/predict", content=tiny.IMAGES.tobytes(), headers=RAW, params=options).json()
    assert [prediction["prediction_set"] for prediction in answer["predictions"]] == sets


def test_model_without_certificates_serves_without_sets(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, tiny.manifest().model_copy(update={"abstention": None})))
    with TestClient(create_app(Settings(model_path=path))) as client:
        response = _ask(client)
        assert (response.prediction_sets, response.predictions[0].prediction_set) == (None, None)
        refused = client.post("/predict", json={"inputs": [LEFT.tolist()], "set_coverage": 0.9})
        assert refused.json()["detail"] == "set_coverage=0.9 was requested, but this model has no prediction sets"
        refused = client.post("/predict?set_method=lac", content=LEFT.tobytes(), headers=RAW)
        assert refused.json()["detail"] == 'set_method="lac" was requested, but this model has no prediction sets'


def test_ids_differ_from_one_another_and_from_request_to_request(client: TestClient) -> None:
    ids = [prediction.id for _ in range(3) for prediction in _ask(client, inputs=tiny.IMAGES.tolist()).predictions]
    assert len(set(ids)) == 12


def test_default_policy_is_the_settings_unless_the_request_names_one(tiny_model: Path) -> None:
    settings = Settings(model_path=tiny_model, default_policy=PolicyRequest(threshold=0.9))
    with TestClient(create_app(settings)) as client:
        assert _ask(client).predictions[0].reason == "low_confidence"
        assert _ask(client, policy={"never_abstain": True}).predictions[0].label == "left"


def test_resize_by_body_and_by_query(client: TestClient) -> None:
    picture = encoded(Image.new("RGB", (20, 10), "white"))
    by_query = client.post("/predict?resize=true", content=picture, headers={"content-type": "image/png"})
    by_body = client.post("/predict", json={"inputs": [base64.b64encode(picture).decode()], "resize": True})
    assert _without_ids(by_query.json()["predictions"]) == _without_ids(by_body.json()["predictions"])
    np.testing.assert_allclose(by_query.json()["predictions"][0]["probabilities"], tiny.PROBABILITIES[3], atol=1e-7)


def test_files_of_a_form_are_answered_in_their_order(client: TestClient) -> None:
    pictures = [encoded(Image.fromarray(image)) for image in tiny.IMAGES]
    sent = [(f"field{i}", (f"{i}.png", picture, "image/png")) for i, picture in enumerate(pictures)]
    response = client.post("/predict?top_k=1", files=sent)
    assert response.status_code == 200, response.text
    np.testing.assert_allclose(
        [prediction["probabilities"] for prediction in response.json()["predictions"]], tiny.PROBABILITIES, atol=1e-7
    )


def test_text_field_of_a_form_is_refused_and_a_wrong_file_named(client: TestClient) -> None:
    picture = ("a.png", encoded(Image.fromarray(LEFT)), "image/png")
    answer = client.post("/predict", data={"resize": "true"}, files={"file": picture})
    assert_problem(answer, 422, "resize is not a file: a form holds only files; the options belong in the query")
    answer = client.post("/predict", files=[("file", picture), ("file", ("big.png", blank(size=(9, 9)), "image/png"))])
    rule = "file[1] big.png is an image of 9x9 pixels, mode L: it must be 2x1 grey (mode L), or sent with resize=true"
    body = assert_problem(answer, 422, rule)
    assert body["errors"][0]["field"] == "file[1] big.png"


def test_invert_by_body_and_by_query(client: TestClient) -> None:
    by_query = client.post("/predict?invert=true", content=LEFT.tobytes(), headers=RAW).json()["predictions"]
    by_body = client.post("/predict", json={"inputs": [LEFT.tolist()], "invert": True}).json()["predictions"]
    assert _without_ids(by_query) == _without_ids(by_body)
    np.testing.assert_allclose(by_query[0]["probabilities"], tiny.PROBABILITIES[2], atol=1e-7)


def test_large_body_is_answered_as_small_ones_are(tiny_model: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (INLINE_BODY_BYTES, 1, 2), dtype=np.uint8)
    with TestClient(create_app(Settings(model_path=tiny_model, max_batch_size=len(images)))) as client:
        together = client.post("/predict", content=images.tobytes(), headers=RAW).json()["predictions"]
        assert len(together) == len(images)
        for start in (0, 1000, len(images) - 100):
            part = images[start : start + 100]
            apart = client.post("/predict", content=part.tobytes(), headers=RAW).json()["predictions"]
            assert _without_ids(apart) == _without_ids(together[start : start + 100])


def test_large_bad_body_gets_the_same_error_as_a_small_one(client: TestClient) -> None:
    answer = client.post(
        "/predict", content=b"[" + b" " * INLINE_BODY_BYTES, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
