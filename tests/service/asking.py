"""What the tests of several kinds of input send, and what they look at."""

import base64
import json
from typing import Any

import httpx2
import numpy as np
from fastapi.testclient import TestClient

RAW = "application/octet-stream"
NPY = "application/x-npy"


def send(client: TestClient, body: bytes | str, media_type: str = "application/json") -> httpx2.Response:
    """Ask for predictions by this body."""
    return client.post("/predict", content=body, headers={"content-type": media_type})


def ask(client: TestClient, *inputs: Any) -> httpx2.Response:
    """Ask for predictions of these inputs as JSON."""
    return send(client, json.dumps({"inputs": inputs}))


def probabilities(answer: httpx2.Response) -> list[list[float]]:
    """Of every input, where the answer is one."""
    assert answer.status_code == 200, answer.text
    return [prediction["probabilities"] for prediction in answer.json()["predictions"]]


def base64_of(row: np.ndarray) -> str:
    """An array's bytes as JSON has them."""
    return base64.b64encode(row.tobytes()).decode()
