"""The requests of good clients: every form of an input, and every other route."""

import base64
import dataclasses
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.inference.readers.body import JSON, NPY, RAW
from tests.soak.models import EMBEDDINGS, PICTURES, ROWS, TOKENS

_TEXTS = [["b", "a"], ["a", "c"], ["a", "a"]]
_PEOPLE = [
    {"age": 40, "sex": "f", "mass": 75},
    {"mass": 71.5, "sex": "m", "age": 57},
    {"age": None, "sex": "x", "mass": 60},
]


@dataclass(frozen=True, slots=True)
class Question:
    """A request. It is `fixed` if one version of a model always gives it the same answer.

    `allowed` statuses are no fault while models are swapped and services restarted. A `rare` question is sent a
    tenth as often as others.
    """

    name: str
    method: str
    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    fixed: bool = True
    allowed: tuple[int, ...] = ()
    rare: bool = False

    @property
    def message(self) -> bytes:
        """The bytes on the wire."""
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: demur", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def questions() -> list[Question]:
    """All questions. The names of those on predictions state the model and the form."""
    return [*_pictures(), *_table(), *_embeddings(), *_tokens(), *_standard(), *_other_routes()]


def feedback(path: str, prediction_id: str, label: str) -> Question:
    """The true label of a prediction."""
    body = json.dumps({"id": prediction_id, "label": label}).encode()
    return Question("feedback", "POST", path, body, (("Content-Type", JSON),), fixed=False, allowed=_OF_ANOTHER_FILE)


def _predict(name: str, form: str, body: bytes, media_type: str, query: str = "", **headers: str) -> Question:
    named = [("Content-Type", media_type), *headers.items()]
    return Question(f"{name}, {form}", "POST", f"/models/{name}/predict{query}", body, tuple(named))


def _json(name: str, form: str, what: str = "predict", **fields: Any) -> Question:
    body = json.dumps(fields).encode()
    return Question(f"{name}, {form}", "POST", f"/models/{name}/{what}", body, (("Content-Type", JSON),))


def _arrays(name: str, rows: NDArray[Any]) -> Iterator[Question]:
    """The forms of every kind: bytes and a NumPy array, with answers in JSON and in the same form."""
    one = np.ascontiguousarray(rows[:1])
    yield _predict(name, "bytes", one.tobytes(), RAW, "?top_k=1")
    yield _predict(name, "bytes for bytes", rows[:16].tobytes(), RAW, Accept=RAW)
    yield _predict(name, ".npy", _npy(rows[:2]), NPY, "?threshold=0.6")
    yield _predict(name, ".npy for .npy", _npy(rows), NPY, Accept=NPY)


def _pictures() -> Iterator[Question]:
    rows = PICTURES[0].tolist()
    yield _json("pictures", "rows of pixels", inputs=[rows])
    yield Question(
        "default model", "POST", "/predict", json.dumps({"inputs": [rows]}).encode(), (("Content-Type", JSON),)
    )
    yield _json("pictures", "flat pixels", inputs=[PICTURES[1].ravel().tolist()], policy={"threshold": 0.5}, top_k=2)
    texts = [base64.b64encode(data).decode() for data in (PICTURES[2].tobytes(), _file(PICTURES[3], "PNG"))]
    yield _json("pictures", "base64", inputs=texts, policy={"selective_risk": 0.1}, probabilities=False)
    many = _json("pictures", "64 of them", inputs=PICTURES.reshape(64, -1).tolist(), set_coverage=0.9)
    yield dataclasses.replace(many, rare=True)
    yield _json("pictures", "explained", "explain", inputs=[rows])
    yield _json("pictures", "shown", "inputs", inputs=texts)
    yield _predict("pictures", "PNG", _file(PICTURES[0], "PNG"), "image/png")
    yield _predict("pictures", "JPEG", _file(PICTURES[0], "JPEG"), "image/jpeg", "?reject_cost=0.2")
    photograph = np.kron(PICTURES[:4].reshape(2 * 28, 56), np.ones((4, 6), np.uint8)).astype(np.uint8)
    yield _predict("pictures", "photograph", _file(photograph, "JPEG"), "image/jpeg", "?resize=true&invert=true")
    yield _predict("pictures", "form", _form(*(_file(picture, "PNG") for picture in PICTURES[:3])), _FORM)
    yield from _arrays("pictures", PICTURES)
    yield Question("samples", "GET", "/models/pictures/samples")


def _table() -> Iterator[Question]:
    yield _json("table", "rows by name", inputs=_PEOPLE)
    yield _json("table", "rows in order", inputs=[[40, "f", 70], [None, None, 82]], policy={"threshold": 0.4})
    yield _json("table", "explained", "explain", inputs=_PEOPLE[:2])
    yield from _arrays("table", ROWS)


def _embeddings() -> Iterator[Question]:
    yield _json("embeddings", "numbers", inputs=EMBEDDINGS[:1].tolist())
    yield _json("embeddings", "base64", inputs=[base64.b64encode(row.tobytes()).decode() for row in EMBEDDINGS[:3]])
    yield dataclasses.replace(_json("embeddings", "256 of them", inputs=EMBEDDINGS.tolist(), top_k=1), rare=True)
    yield _json("embeddings", "explained", "explain", inputs=EMBEDDINGS[:1].tolist())
    yield from _arrays("embeddings", EMBEDDINGS)


def _tokens() -> Iterator[Question]:
    yield _json("tokens", "texts", inputs=_TEXTS)
    yield _json("tokens", "numbers", inputs=TOKENS.tolist(), policy={"threshold": 0.5})
    yield from _arrays("tokens", TOKENS)


def _standard() -> Iterator[Question]:
    """Predictions by KServe's first protocol and by the Open Inference Protocol."""
    body = json.dumps({"instances": PICTURES[:2].tolist()}).encode()
    yield Question("/v1", "POST", "/v1/models/pictures:predict", body, (("Content-Type", JSON),))
    tensor: dict[str, Any] = {"name": "images", "datatype": "UINT8", "shape": [2, 28, 28]}
    body = json.dumps({"id": "7", "inputs": [{**tensor, "data": PICTURES[:2].ravel().tolist()}]}).encode()
    infer = "/v2/models/pictures/infer"
    yield Question("/v2, JSON", "POST", infer, body, (("Content-Type", JSON),))
    packed = (("Content-Type", JSON), ("Content-Encoding", "gzip"), ("Accept-Encoding", "gzip"))
    yield Question("/v2, gzip", "POST", infer, gzip.compress(body, mtime=0), packed)
    outputs = [{"name": name, "parameters": {"binary_data": True}} for name in ("probabilities", "confidence")]
    tensor["parameters"] = {"binary_data_size": 2 * 28 * 28}
    head = json.dumps({"inputs": [tensor], "outputs": outputs}).encode()
    length = (("Content-Type", RAW), ("Inference-Header-Content-Length", str(len(head))))
    yield Question("/v2, binary", "POST", infer, head + PICTURES[:2].tobytes(), length)
    classes = [{"name": "probabilities", "parameters": {"classification": 2}}]
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 28, 28], "data": PICTURES[:1].ravel().tolist()}
    body = json.dumps({"inputs": [tensor], "outputs": classes}).encode()
    yield Question("/v2, classes", "POST", infer, body, (("Content-Type", JSON),))


def _other_routes() -> Iterator[Question]:
    """Requests for anything but predictions."""
    yield Question("model card", "GET", "/models/table")
    yield Question("/v2 metadata", "GET", "/v2/models/pictures")
    for path in ("/models", "/feedback", "/drift", "/metrics", "/", "/openapi.json"):
        yield Question(path, "GET", path, fixed=False, rare=True)
    for path in ("/readyz", "/v2/health/ready"):
        yield Question(path, "GET", path, fixed=False, allowed=(HTTPStatus.SERVICE_UNAVAILABLE,))


# The prediction is of a version that is no longer served.
_OF_ANOTHER_FILE = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
_FORM = "multipart/form-data; boundary=soak"


def _form(*files: bytes) -> bytes:
    head = b'--soak\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return b"".join(head + file + b"\r\n" for file in files) + b"--soak--\r\n"


def _file(picture: NDArray[np.uint8], form: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, form)
    return out.getvalue()


def _npy(rows: NDArray[Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, rows)
    return out.getvalue()
