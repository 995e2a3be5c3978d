"""The Open Inference Protocol over HTTP, with the tiny model, whose answers are worked out in `tests/tiny.py`."""

import gzip
import json
import logging
import zlib
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests import tiny, tiny_features, tiny_tokens

INFER = "/v2/models/tiny/infer"
LENGTH = "Inference-Header-Content-Length"


def _tensor(data: Any, shape: list[int], datatype: str = "UINT8") -> dict[str, Any]:
    return {"name": "images", "shape": shape, "datatype": datatype, "data": data}


def _classes(k: object) -> dict[str, Any]:
    return {"name": "probabilities", "parameters": {"classification": k}}


ALL = _tensor(tiny.IMAGES.tolist(), [4, 1, 2])
LEFT = _tensor([255, 0], [1, 2])


def _outputs(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}


def _assert_error(answer: httpx2.Response, status: int, fragment: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error"}
    assert fragment in answer.json()["error"]


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_server_metadata_with_and_without_a_slash(client: TestClient, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 200
    assert set(answer.json()) == {"name", "version", "extensions"}
    assert {"binary_tensor_data", "classification"} <= set(answer.json()["extensions"])


def test_health_and_model_metadata(client: TestClient) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"live": True, "ready": True}
    (entry,) = client.post("/v2/repository/index").json()
    assert entry == {"name": "tiny", "version": entry["version"], "state": "READY"}
    for path in ("/v2/models/tiny", f"/v2/models/tiny/versions/{entry['version']}"):
        assert client.get(f"{path}/ready").json() == {"name": "tiny", "ready": True}
        metadata = client.get(path).json()
        assert metadata["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 1, 2]}]
        assert metadata["versions"] == [entry["version"]]
        assert metadata["properties"]["labels"].split("\n") == tiny.LABELS
        assert [output["name"] for output in metadata["outputs"]] == list(
            _outputs(client.post(f"{path}/infer", json={"inputs": [ALL]}))
        )


@pytest.mark.parametrize(
    "tensor",
    [
        ALL,
        _tensor(tiny.IMAGES.reshape(-1).tolist(), [4, 1, 2]),
        _tensor(tiny.IMAGES.reshape(4, 2).tolist(), [4, 2]),
        _tensor(tiny.IMAGES.reshape(-1).tolist(), [4, 1, 1, 2]),
        _tensor(tiny.IMAGES.astype(float).reshape(-1).tolist(), [4, 1, 2]),
        _tensor(tiny.IMAGES.tolist(), [4, 1, 2], "INT64"),
    ],
)
def test_every_form_of_tensor_gives_the_same_answer(client: TestClient, tensor: dict[str, Any]) -> None:
    answer = client.post(INFER, content=json.dumps({"id": "a 1", "extra": 1, "inputs": [tensor]}).encode())
    outputs = _outputs(answer)
    np.testing.assert_allclose(np.reshape(outputs["probabilities"], (4, 3)), tiny.PROBABILITIES, atol=1e-7)
    np.testing.assert_allclose(outputs["ood_score"], tiny.OOD_SCORES, rtol=1e-6)
    assert outputs["label"] == ["dark", "left", "right", "left"]
    assert outputs["decision"] == ["answer"] * 4
    assert outputs["reason"] == [""] * 4
    assert outputs["prediction_set"][3:6] == [False, True, False]  # of [255, 0]: at least 0.4
    assert answer.json()["id"] == "a 1"
    assert answer.json()["parameters"] == {"policy": "never_abstain"}


def test_policy_is_a_parameter_and_timeout_is_ignored(client: TestClient) -> None:
    parameters = {"threshold": 0.8, "timeout": 1, "priority": 1, "alpha": 0.1}
    names = [{"name": "decision"}, {"name": "label"}, {"name": "reason"}]
    answer = client.post(INFER, json={"inputs": [ALL], "parameters": parameters, "outputs": names})
    assert _outputs(answer) == {
        "decision": ["abstain", "answer", "answer", "abstain"],
        "label": ["", "left", "right", ""],
        "reason": ["low_confidence", "", "", "low_confidence"],
    }
    assert answer.json()["parameters"] == {"policy": "threshold", "threshold": 0.8}


def test_scores_count_for_drift(client: TestClient) -> None:
    client.post(INFER, json={"inputs": [ALL]})
    assert client.get("/drift").json()["inputs_since"] == 4


@pytest.mark.parametrize(
    ("sent", "fragment"),
    [
        ({}, "inputs must be"),
        ({"inputs": [LEFT, LEFT]}, "a list of one tensor"),
        ({"inputs": [{**LEFT, "name": "x"}]}, 'inputs[0].name="x"'),
        ({"inputs": [{**LEFT, "datatype": "BYTES"}]}, "inputs[0].datatype is BYTES"),
        ({"inputs": [{**LEFT, "datatype": "FP16"}]}, "binary data only"),
        ({"inputs": [{**LEFT, "shape": [1, 3]}]}, "inputs[0].shape is [1, 3]"),
        ({"inputs": [{**LEFT, "shape": [True, 2]}]}, "a size is a whole number"),
        ({"inputs": [{**LEFT, "shape": [10**15, 2]}]}, "holds 2 numbers"),
        ({"inputs": [{**LEFT, "data": [256, 0]}]}, "inputs[0].data[0]=256"),
        ({"inputs": [{**LEFT, "data": [0.5, 0]}]}, "inputs[0].data[0]=0.5"),
        ({"inputs": [{**LEFT, "data": [True, 0]}]}, "holds true"),
        ({"inputs": [{**LEFT, "data": [[1], [2]]}]}, "holds 2 lists"),
        ({"inputs": [{**LEFT, "data": [[1]]}]}, "is not nested as its shape"),
        ({"inputs": [{**LEFT, "parameters": {"binary_data_size": 2}}]}, "both data and binary_data_size"),
        ({"inputs": [LEFT], "outputs": [{"name": "logits"}]}, "outputs names logits"),
        ({"inputs": [LEFT], "outputs": [{"name": "label"}, {"name": "label"}]}, "more than once"),
        ({"inputs": [LEFT], "id": 3}, "id=3"),
        ({"inputs": [LEFT], "parameters": {"threshold": 2}}, "threshold=2"),
        ({"inputs": [LEFT], "parameters": {"selective_risk": 0.01234}}, "parameters.selective_risk=0.01234"),
        *(
            (
                {"inputs": [LEFT], "outputs": [{"name": "probabilities", "parameters": {"classification": k}}]},
                "at least 1",
            )
            for k in (0, -1, 1.5, "1", True)
        ),
        ({"inputs": [LEFT], "outputs": [{"name": "label", "parameters": {"classification": 1}}]}, "only probabilities"),
    ],
)
def test_wrong_request_is_400(client: TestClient, sent: dict[str, Any], fragment: str) -> None:
    _assert_error(client.post(INFER, json=sent), 400, fragment)


def _binary(sent: dict[str, Any], data: bytes, **headers: str) -> dict[str, Any]:
    text = json.dumps(sent).encode()
    return {"content": text + data, "headers": {LENGTH: str(len(text)), **headers}}


def _sized(size: object, **others: Any) -> dict[str, Any]:
    tensor = {"name": "images", "shape": [4, 1, 2], "datatype": "UINT8", "parameters": {"binary_data_size": size}}
    return {"inputs": [tensor], **others}


def _parts(answer: httpx2.Response) -> tuple[dict[str, Any], bytes]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers[LENGTH])
    return json.loads(answer.content[:length]), answer.content[length:]


def test_binary_in_and_out_and_mixed(client: TestClient) -> None:
    outputs = [{"name": "label"}, {"name": "confidence", "parameters": {"binary_data": False}}, {"name": "ood_score"}]
    sent = _sized(8, outputs=outputs, parameters={"binary_data_output": True})
    header, rest = _parts(client.post(INFER, **_binary(sent, tiny.IMAGES.tobytes())))
    label, confidence, ood_score = header["outputs"]
    texts = b"".join(len(text).to_bytes(4, "little") + text for text in (b"dark", b"left", b"right", b"left"))
    assert rest[: len(texts)] == texts
    assert label["parameters"] == {"binary_data_size": len(texts)}
    assert ood_score["parameters"] == {"binary_data_size": 16}
    np.testing.assert_allclose(np.frombuffer(rest[len(texts) :], "<f4"), tiny.OOD_SCORES, rtol=1e-6)
    np.testing.assert_allclose(confidence["data"], np.max(tiny.PROBABILITIES, axis=1), rtol=1e-6)


def test_raw_request_is_one_input_with_binary_outputs(client: TestClient) -> None:
    header, _ = _parts(client.post(INFER, content=bytes([255, 0]), headers={LENGTH: "0"}))
    assert all("binary_data_size" in output["parameters"] for output in header["outputs"])
    assert header["outputs"][0]["shape"] == [1, 3]
    _assert_error(client.post(INFER, content=b"abc", headers={LENGTH: "0"}), 400, "body has 3 bytes")


@pytest.mark.parametrize("size", [7, 9, -1, 8.0, "8", 10**30])
def test_binary_size_that_does_not_fit_is_400(client: TestClient, size: object) -> None:
    _assert_error(client.post(INFER, **_binary(_sized(size), tiny.IMAGES.tobytes())), 400, "binary_data_size=")


def test_binary_lengths_are_checked(client: TestClient) -> None:
    _assert_error(client.post(INFER, **_binary(_sized(7), bytes(7))), 400, "has 7 bytes")
    _assert_error(client.post(INFER, **_binary({"inputs": [LEFT]}, b"x")), 400, "1 bytes after its JSON")
    for length in ("-1", "99999", "x", "9" * 100):
        _assert_error(client.post(INFER, json={"inputs": [LEFT]}, headers={LENGTH: length}), 400, LENGTH)


def test_classification_is_sorted_and_clamped(client: TestClient) -> None:
    requested = {"name": "probabilities", "parameters": {"classification": 9}}
    (output,) = client.post(INFER, json={"inputs": [LEFT], "outputs": [requested]}).json()["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [1, 3])
    assert output["data"] == ["0.818182:1:left", "0.090909:0:dark", "0.090909:2:right"]


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_request(client: TestClient, encoding: str, compress: Any) -> None:
    text = json.dumps(_sized(8)).encode()
    headers = {"Content-Encoding": encoding, LENGTH: str(len(text))}
    answer = client.post(INFER, content=compress(text + tiny.IMAGES.tobytes()), headers=headers)
    assert _outputs(answer)["label"] == ["dark", "left", "right", "left"]
    _assert_error(client.post(INFER, content=b"x", headers={"Content-Encoding": encoding}), 400, encoding)
    cut = compress(text)[:-3]
    _assert_error(client.post(INFER, content=cut, headers={"Content-Encoding": encoding}), 400, encoding)


def test_decompression_is_bounded(tiny_model: Path) -> None:
    with TestClient(create_app(Settings(model_path=tiny_model, max_body_bytes=2000))) as client:
        bomb = gzip.compress(bytes(1_000_000))
        _assert_error(client.post(INFER, content=bomb, headers={"Content-Encoding": "gzip"}), 413, "2000")
        _assert_error(client.post(INFER, content=bytes(2001)), 413, "2001 bytes")
    with TestClient(create_app(Settings(model_path=tiny_model, max_batch_size=3))) as client:
        _assert_error(client.post(INFER, json={"inputs": [ALL]}), 413, "at most 3")


def test_only_answers_of_infer_are_compressed_and_only_on_request(client: TestClient) -> None:
    many = {"inputs": [_tensor([0] * 1000, [500, 2])]}
    plain = client.post(INFER, json=many, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for encoding in ("gzip", "deflate"):
        answer = client.post(INFER, json=many, headers={"Accept-Encoding": encoding})
        assert answer.headers["content-encoding"] == encoding
        assert answer.json() == plain.json()
    for path in ("/v2", "/v2/models/tiny"):
        assert "content-encoding" not in client.get(path, headers={"Accept-Encoding": "gzip"}).headers


def test_every_error_has_the_protocols_shape(client: TestClient) -> None:
    for path in ("/v2/nothing", "/v2/models/none", "/v2/models/none/ready", "/v2/models/tiny/versions/1"):
        _assert_error(client.get(path), 404)
    _assert_error(client.get(INFER), 405)
    _assert_error(client.delete("/v2"), 405)
    _assert_error(client.post(INFER, content=b"{"), 400, "not JSON")
    _assert_error(client.post(INFER, content=b"{}", headers={"Content-Encoding": "br"}), 415, "br")
    for action in ("load", "unload"):
        _assert_error(client.post(f"/v2/repository/models/tiny/{action}"), 403, action)
    _assert_error(client.post("/v2/repository/models/tiny/delete"), 404)


def test_model_that_is_not_ready_is_503(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tiny.write(tmp_path).rename(tmp_path / "a.onnx")
    (tmp_path / "b.onnx").write_bytes(b"nothing")
    with caplog.at_level(logging.ERROR, "demur"), TestClient(create_app(Settings(models=tmp_path))) as client:
        for path in ("/v2/models/b", "/v2/models/b/ready"):
            _assert_error(client.get(path), 503)
        assert [entry["state"] for entry in client.post("/v2/repository/index").json()] == ["READY", "UNAVAILABLE"]


def test_rows_and_tokens(tmp_path: Path) -> None:
    for write in (tiny_features.write_embedding, tiny_tokens.write):
        with TestClient(create_app(Settings(model_path=write(tmp_path)))) as client:
            (entry,) = client.post("/v2/repository/index").json()
            path = f"/v2/models/{entry['name']}"
            (described,) = client.get(path).json()["inputs"]
            shape = [2, *described["shape"][1:]]
            tensor = {**described, "shape": shape, "data": [0] * int(np.prod(shape))}
            assert len(_outputs(client.post(f"{path}/infer", json={"inputs": [tensor]}))["label"]) == 2
            wrong = {**tensor, "data": [2**61 - 1, *tensor["data"][1:]]}
            bad = client.post(f"{path}/infer", json={"inputs": [wrong]})
            _assert_error(bad, 400)


def test_internal_error_has_the_protocols_shape(tiny_model: Path) -> None:
    app = create_app(Settings(model_path=tiny_model))

    @app.get("/v2/bug")
    async def bug() -> None:
        raise KeyError("a secret")

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/v2/bug")
    _assert_error(answer, 500, "The log has details under this request_id")
    assert "secret" not in answer.text
