"""Sends inputs of every kind to `/predict`, and reads the answers."""

import base64
import json
from typing import Any

import httpx2
import numpy as np
from fastapi.testclient import TestClient

RAW = "application/octet-stream"
NPY = "application/x-npy"


def send(client: TestClient, body: bytes | str, media_type: str = "application/json") -> httpx2.Response:
    """Post a body to `/predict`."""
    return client.post("/predict", content=body, headers={"content-type": media_type})


def ask(client: TestClient, *inputs: Any) -> httpx2.Response:
    """Post inputs as JSON to `/predict`."""
    return send(client, json.dumps({"inputs": inputs}))


def probabilities(answer: httpx2.Response) -> list[list[float]]:
    """The probabilities of every input, from a successful answer."""
    assert answer.status_code == 200, answer.text
    return [prediction["probabilities"] for prediction in answer.json()["predictions"]]


def base64_of(row: np.ndarray) -> str:
    """An array's bytes as base64."""
    return base64.b64encode(row.tobytes()).decode()
