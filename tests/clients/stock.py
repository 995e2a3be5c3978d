"""Uses a running service with one stock client: `python stock.py CLIENT ADDRESS`. Runs in the clients' environment.

The model is that of `tests/tiny.py`; its values are repeated, since it cannot be imported there.
"""

import asyncio
import sys
from typing import Any

import numpy as np

IMAGES = np.array([[[0, 0]], [[255, 0]], [[0, 255]], [[255, 255]]], dtype=np.uint8)
LABELS = ["dark", "left", "right", "left"]
FIRST = [1 / 3] * 3


def tritonclient_sync(address: str) -> None:
    """Metadata, health, repository, and inference: JSON, binary, compressed, by classes, and refused."""
    import tritonclient.http as triton

    client = triton.InferenceServerClient(address.removeprefix("http://"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny")
    version = client.get_model_metadata("tiny")["versions"][0]
    assert client.get_server_metadata()["name"] == "demur"
    assert client.get_model_repository_index()[0]["state"] == "READY"
    for binary in (True, False):
        tensor = triton.InferInput("images", [4, 1, 2], "UINT8")
        tensor.set_data_from_numpy(IMAGES, binary_data=binary)
        for compression in (None, "gzip", "deflate"):
            compressed = {"request_compression_algorithm": compression, "response_compression_algorithm": compression}
            response = client.infer(
                "tiny", [tensor], model_version=version, request_id="42", timeout=500000, **compressed
            )
            assert response.get_response()["id"] == "42"
            np.testing.assert_allclose(response.as_numpy("probabilities")[0], FIRST, rtol=1e-6)
            assert [label.decode() for label in response.as_numpy("label")] == LABELS
        outputs = [triton.InferRequestedOutput("label", binary_data=binary)]
        response = client.infer("tiny", [tensor], outputs=outputs, parameters={"threshold": 0.8})
        texts = [label.decode() if isinstance(label, bytes) else label for label in response.as_numpy("label")]
        assert texts == ["", "left", "right", ""]
    classes = [triton.InferRequestedOutput("probabilities", class_count=1)]
    assert client.infer("tiny", [tensor], outputs=classes).as_numpy("probabilities")[1][0] == b"0.818182:1:left"
    try:
        client.infer("none", [tensor])
    except triton.InferenceServerException as error:
        refusal = str(error)
    assert "model none does not exist" in refusal


def tritonclient_aio(address: str) -> None:
    """The same client on asyncio, which accepts no compressed metadata."""
    asyncio.run(_tritonclient_aio(address))


async def _tritonclient_aio(address: str) -> None:
    import tritonclient.http.aio as triton

    async with triton.InferenceServerClient(address.removeprefix("http://")) as client:
        assert await client.is_server_ready()
        assert await client.is_model_ready("tiny")
        assert (await client.get_server_metadata())["name"] == "demur"
        assert (await client.get_model_metadata("tiny"))["name"] == "tiny"
        tensor = triton.InferInput("images", [500, 2], "UINT8")
        tensor.set_data_from_numpy(np.zeros((500, 2), np.uint8))
        response = await client.infer("tiny", [tensor])
        np.testing.assert_allclose(response.as_numpy("probabilities")[499], FIRST, rtol=1e-6)


def kserve(address: str) -> None:
    """KServe's own client, by the protocol's second version."""
    asyncio.run(_kserve(address))


async def _kserve(address: str) -> None:
    from kserve import InferenceRESTClient, InferInput, InferRequest
    from kserve.inference_client import RESTConfig

    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_ready(address)
    assert await client.is_server_live(address)
    assert await client.is_model_ready(address, "tiny")
    for binary in (True, False):
        tensor = InferInput("images", [4, 1, 2], "UINT8")
        tensor.set_data_from_numpy(IMAGES, binary_data=binary)
        response: Any = await client.infer(address, InferRequest("tiny", [tensor]), model_name="tiny")
        outputs = {output.name: output for output in response.outputs}
        np.testing.assert_allclose(outputs["probabilities"].as_numpy()[0], FIRST, rtol=1e-6)


def kserve_v1(address: str) -> None:
    """The same client by the protocol's first version, which is its default."""
    asyncio.run(_kserve_v1(address))


async def _kserve_v1(address: str) -> None:
    from httpx import HTTPStatusError
    from kserve import InferenceRESTClient

    client = InferenceRESTClient()
    assert await client.is_model_ready(address, "tiny") is True
    response: Any = await client.infer(address, {"instances": IMAGES.tolist()}, model_name="tiny")
    assert [prediction["label"] for prediction in response["predictions"]] == LABELS
    np.testing.assert_allclose(response["predictions"][0]["probabilities"], FIRST, rtol=1e-6)
    request = {"instances": IMAGES.tolist(), "parameters": {"threshold": 0.8}}
    response = await client.infer(address, request, model_name="tiny")
    assert [prediction["label"] for prediction in response["predictions"]] == [None, "left", "right", None]
    explained = await client.explain(address, "tiny", {"instances": IMAGES.tolist()})
    assert [len(explanation["contributions"]) for explanation in explained["explanations"]] == [1] * 4
    refused = []
    for model, instances in (("none", [[0, 0]]), ("tiny", [[0]])):
        try:
            await client.infer(address, {"instances": instances}, model_name=model)
        except HTTPStatusError as error:
            refused.append(str(error))
    assert "model none does not exist" in refused[0]
    assert "instances[0]" in refused[1]


def open_inference_openapi(address: str) -> None:
    """The client generated from the protocol's description, which sends all numbers as floats."""
    from open_inference.openapi import BadRequestError, NotFoundError
    from open_inference.openapi.client import OpenInferenceClient
    from open_inference.openapi.types import InferenceRequest, RequestInput

    client = OpenInferenceClient(base_url=address)
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_readiness("tiny")
    assert client.read_server_metadata().name == "demur"
    assert client.read_model_metadata("tiny").platform == "onnx_onnxv1"
    tensor = RequestInput(name="images", shape=[4, 1, 2], datatype="UINT8", data=IMAGES.reshape(-1).tolist())
    response = client.model_infer("tiny", request=InferenceRequest(inputs=[tensor]))
    outputs = {output.name: output.data for output in response.outputs}
    np.testing.assert_allclose(outputs["probabilities"].__root__[:3], FIRST, rtol=1e-6)
    wrong = RequestInput(name="pictures", shape=[1, 2], datatype="UINT8", data=[0, 0])
    refused = []
    try:
        client.check_model_readiness("none")
    except NotFoundError as error:
        refused.append(error.body)
    try:
        client.model_infer("tiny", request=InferenceRequest(inputs=[wrong]))
    except BadRequestError as error:
        refused.append(error.body)
    assert [list(body) for body in refused] == [["error"], ["error"]]


if __name__ == "__main__":
    clients = (tritonclient_sync, tritonclient_aio, kserve, kserve_v1, open_inference_openapi)
    {function.__name__: function for function in clients}[sys.argv[1]](sys.argv[2])
