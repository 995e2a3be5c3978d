"""Requests with the same image for every server: the first official test image, `docs/ankle-boot.png`."""

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.inference.readers.body import JSON, RAW

PNG = "image/png"
NPY = "application/x-npy"
_PICTURE = Path(__file__).parents[2] / "docs" / "ankle-boot.png"


@dataclass(frozen=True, slots=True)
class Request:
    """A request, always a POST."""

    path: str
    body: bytes
    content_type: str = JSON
    accept: str = "*/*"
    headers: Mapping[str, str] = field(default_factory=dict)  # further ones

    def send(self, address: str) -> bytes:
        """The body of the answer. Raises OSError without one or if its status is not 200."""
        headers = {"Content-Type": self.content_type, "Accept": self.accept, **self.headers}
        request = urllib.request.Request(address + self.path, self.body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            if answer.status != HTTPStatus.OK:
                raise OSError(f"status {answer.status}")
            body: bytes = answer.read()
        return body


def image() -> NDArray[np.uint8]:
    """uint8 [28, 28]."""
    return np.asarray(Image.open(_PICTURE))


def as_json(path: str, document: dict[str, Any]) -> Request:
    """A request with a JSON body in the default format of Python's json, with a space after each comma."""
    return Request(path, json.dumps(document).encode())


def flat() -> list[int]:
    """The image as 784 integers."""
    return [int(pixel) for pixel in image().ravel()]


def v2(path: str) -> Request:
    """A request of the Open Inference Protocol."""
    tensor = {"name": "images", "shape": [1, 28, 28], "datatype": "UINT8", "data": flat()}
    return as_json(path, {"id": "1", "inputs": [tensor]})  # KServe cannot answer without an id


def v2_binary(path: str) -> Request:
    """The same with the binary tensor extension: 784 bytes after the JSON, and binary outputs."""
    tensor = {
        "name": "images",
        "shape": [1, 28, 28],
        "datatype": "UINT8",
        "parameters": {"binary_data_size": image().nbytes},
    }
    head = json.dumps({"id": "1", "inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    body = head + image().tobytes()
    return Request(path, body, RAW, headers={"Inference-Header-Content-Length": str(len(head))})


def raw() -> Request:
    """784 bytes, for the service."""
    return Request("/predict?top_k=3", image().tobytes(), RAW)


def png() -> Request:
    """The PNG file, for the service."""
    return Request("/predict?top_k=3", _PICTURE.read_bytes(), PNG)
