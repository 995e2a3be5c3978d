"""Clients that use every route while the model is swapped, and compare each answer with the file that it names."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from service.http.predict_request import INLINE_BODY_BYTES
from tests import tiny, versions
from tests.server import Server

JSON = {"content-type": "application/json"}
RAW = {"content-type": "application/octet-stream"}
BULK = 256  # images

Probabilities = list[list[float]]


@dataclass
class Swapping:
    """Clients that query a service until `stop`. `failures` lists wrong answers, and must stay empty."""

    server: Server
    published: dict[str, Probabilities]  # of the four images by each version, from onnxruntime alone
    failures: list[str] = field(default_factory=list)
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)  # by way and version
    slowest: dict[str, float] = field(default_factory=dict)  # seconds, by way
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start one client for each way on a persistent connection, and one that reconnects for every request."""
        for way, ask in WAYS.items():
            self._threads.append(threading.Thread(target=self._ask, args=(way, ask, True), daemon=True))
        self._threads.append(threading.Thread(target=self._ask, args=("json", _json, False), daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait for the last answers."""
        self._ended.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _ask(self, way: str, ask: "Way", keeps: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        while not self._ended.is_set():
            began = time.perf_counter()
            try:
                version, probabilities, times = ask(connection)
            except (OSError, http.client.HTTPException, KeyError, ValueError, AssertionError) as error:
                self.failures.append(f"{way}: {error!r}")
                connection.close()
                continue
            self.slowest[way] = max(self.slowest.get(way, 0), time.perf_counter() - began)
            self.answered[way, version] += 1
            if version not in self.published:
                self.failures.append(f"{way}: version {version} was never published")
            elif (
                probabilities is not None
                and probabilities != _expected(self.published[version], len(probabilities[0])) * times
            ):
                self.failures.append(f"{way}: not the scores of {version}, which it names")
            if not keeps:
                connection.close()
        connection.close()


def _expected(probabilities: Probabilities, width: int) -> Probabilities:
    """The probabilities of all labels, or of the likeliest one only."""
    return [[max(row)] for row in probabilities] if width == 1 else probabilities


Reply = tuple[str, Probabilities | None, int]  # version, probabilities, repetitions of the four images
Way = Callable[[http.client.HTTPConnection], Reply]


def _body(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
) -> bytes:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, (answer.status, content[:200])
    return content


def _json(connection: http.client.HTTPConnection) -> Reply:
    """Through the fast lane."""
    body = json.dumps({"inputs": tiny.IMAGES.tolist()}).encode()
    answer = json.loads(_body(connection, "POST", "/predict", body, JSON))
    return answer["model"]["version"], [entry["probabilities"] for entry in answer["predictions"]], 1


def _bulk(connection: http.client.HTTPConnection) -> Reply:
    """Through the application, in a thread: with padding the body is too large for the event loop."""
    body = json.dumps({"inputs": tiny.IMAGES.tolist() * (BULK // 4)}).encode().ljust(2 * INLINE_BODY_BYTES)
    answer = json.loads(_body(connection, "POST", "/predict", body, JSON))
    return answer["model"]["version"], [entry["probabilities"] for entry in answer["predictions"]], BULK // 4


def _v2(connection: http.client.HTTPConnection) -> Reply:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [4, 1, 2], "data": tiny.IMAGES.ravel().tolist()}
    body = json.dumps({"inputs": [tensor], "outputs": [{"name": "probabilities"}]}).encode()
    answer = json.loads(_body(connection, "POST", "/v2/models/tiny/infer", body, JSON))
    (output,) = answer["outputs"]
    return answer["model_version"], np.array(output["data"]).reshape(output["shape"]).tolist(), 1


def _explain(connection: http.client.HTTPConnection) -> Reply:
    """The probability of the likeliest label, from an explanation."""
    answer = json.loads(_body(connection, "POST", "/explain", tiny.IMAGES.tobytes(), RAW))
    return answer["model"]["version"], [[entry["probability"]] for entry in answer["explanations"]], 1


def _card(connection: http.client.HTTPConnection) -> Reply:
    """The git revision in the card is the version's number; the card's version must be that of its file."""
    card = json.loads(_body(connection, "GET", "/model", b"", {}))
    file = versions.good(int(card["git_revision"]))
    assert versions.version_of(file) == card["version"], card["version"]
    return card["version"], None, 1


WAYS: dict[str, Way] = {"json": _json, "bulk": _bulk, "v2": _v2, "explain": _explain, "model": _card}
