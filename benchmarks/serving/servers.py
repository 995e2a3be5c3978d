"""Every measured server, with its request."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.serving import requests
from benchmarks.serving.environments import python_of
from benchmarks.serving.requests import Request
from benchmarks.under_test import Served, served
from benchmarks.wrk import CONNECTIONS

TOLERANCE = 1e-5  # of a probability


@dataclass(frozen=True, slots=True)
class Server:
    """A server and one form of request."""

    name: str  # in the JSON
    title: str  # in the table
    arguments: tuple[str, ...]  # of its Python
    request: Request
    probabilities: Callable[[bytes], list[float]] | None  # reads them from an answer; None for servers that do nothing
    peer: str | None = None  # the peer whose environment it runs in; None for ours
    ready: str = "/readyz"
    both_cores: bool = False
    connections: int = CONNECTIONS  # of the load
    settings: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def running(self, model: Path, cores: tuple[int, int]) -> Iterator[Served]:
        """The running server, ready, on the first core, or on both if it needs them."""
        python = python_of(self.peer)
        settings = {"DEMUR_MODEL_PATH": str(model.resolve()), **self.settings}
        own = cores if self.both_cores else cores[:1]
        with served(self.arguments, *own, python=python, ready=self.ready, settings=settings) as ready:
            yield ready

    def check(self, answer: bytes, right: NDArray[np.float32]) -> None:
        """Raise ValueError if the probabilities of the answer are not those of onnxruntime, [C]."""
        if self.probabilities is not None:
            returned = np.array(self.probabilities(answer), dtype=float)
            if returned.shape != right.shape or not np.abs(returned - right).max() <= TOLERANCE:
                raise ValueError(f"{self.name} answers {returned}, onnxruntime {right}")


def _ours(answer: bytes) -> list[float]:
    return json.loads(answer)["predictions"][0]["probabilities"]  # type: ignore[no-any-return]


def _v2(answer: bytes) -> list[float]:
    outputs = json.loads(answer)["outputs"]
    return next(output["data"] for output in outputs if output["name"] == "probabilities")


def _v2_binary(answer: bytes) -> list[float]:
    head, at = json.JSONDecoder().raw_decode(answer.decode("latin-1"))
    for output in head["outputs"]:
        size = output["parameters"]["binary_data_size"]
        if output["name"] == "probabilities":
            return np.frombuffer(answer[at : at + size], np.float32).tolist()  # type: ignore[no-any-return]
        at += size
    raise ValueError("no probabilities")


def _plain(answer: bytes) -> list[float]:
    return json.loads(answer)["probabilities"]  # type: ignore[no-any-return]


def _as_json_integers() -> Request:
    return _as_json("/predict", {"inputs": [requests.flat()], "top_k": 3})


_INFER = "/v2/models/fashion-mnist/infer"
# Forms of a request to the service: title, request, and how to read the answer.
FORMS: dict[str, tuple[str, Callable[[], Request], Callable[[bytes], list[float]]]] = {
    "json": ("784 JSON integers", _as_json_integers, _ours),
    "raw": ("784 bytes", requests.raw, _ours),
    "png": ("a PNG", requests.png, _ours),
    "v2": ("V2, 784 JSON integers", lambda: requests.v2(_INFER), _v2),
    "v2-binary": ("V2, 784 bytes", lambda: requests.v2_binary(_INFER), _v2_binary),
}


def ours(form: str = "json", connections: int = CONNECTIONS, **settings: str) -> Server:
    """The service with its defaults, with a request of one of `FORMS`."""
    title, request, read = FORMS[form]
    name, title = f"demur-{form}", f"Demur, {title}"
    if connections != CONNECTIONS:
        name, title = f"{name}-{connections}", f"{title}, connections: {connections}"
    return Server(name, title, ("-m", "service"), request(), read, connections=connections, settings=settings)


def limit(of: Server, size: int, name: str | None = None) -> Server:
    """The bare application with the request of that server and this many bytes of answer."""
    title = f"the limit, {len(of.request.body):,} bytes in and {size:,} out"
    settings = {"LIMIT_BYTES": str(size)}
    arguments = ("-m", "benchmarks.serving.limit")
    name = name or f"limit-{of.name}"
    return Server(name, title, arguments, of.request, None, connections=of.connections, settings=settings)


def first_choices() -> list[Server]:
    """A plain FastAPI service, and the frameworks alone."""
    nothing, plain = "benchmarks.serving.does_nothing", ("-m", "benchmarks.serving.plain_fastapi")
    image = {"inputs": [requests.flat()]}
    return [
        Server("starlette", "Starlette, does nothing", ("-m", nothing, "starlette"), _as_json("/predict", image), None),
        Server("fastapi", "FastAPI, does nothing", ("-m", nothing, "fastapi"), _as_json("/predict", image), None),
        Server("fastapi-def", "plain FastAPI, `def`", plain, _as_json("/def", image), _ours),
        Server("fastapi-async", "plain FastAPI, `async def`", plain, _as_json("/async-def", image), _ours),
    ]


def peers() -> list[Server]:
    """The servers that a user would use instead."""
    return [
        Server(
            "kserve-v1",
            "KServe, V1",
            _adapter("kserve"),
            _as_json("/v1/models/fashion:predict", {"instances": [requests.flat()]}),
            _ours,
            peer="kserve",
            ready="/v2/models/fashion/ready",
        ),
        Server(
            "kserve-v2",
            "KServe, V2",
            _adapter("kserve"),
            requests.v2("/v2/models/fashion/infer"),
            _v2,
            peer="kserve",
            ready="/v2/models/fashion/ready",
        ),
        Server(
            "mlserver",
            "MLServer, V2",
            _adapter("mlserver"),
            requests.v2("/v2/models/fashion/infer"),
            _v2,
            peer="mlserver",
            ready="/v2/models/fashion/ready",
        ),
        Server(
            "bentoml",
            "BentoML",
            _adapter("bentoml"),
            _as_json("/predict", {"image": requests.flat()}),
            _plain,
            peer="bentoml",
        ),
        Server(
            "litserve",
            "LitServe",
            _adapter("litserve"),
            _as_json("/predict", {"image": requests.flat()}),
            _plain,
            peer="litserve",
            ready="/health",
        ),
        Server(
            "ray",
            "Ray Serve, on both cores",
            _adapter("ray"),
            _as_json("/predict", {"image": requests.flat()}),
            _plain,
            peer="ray",
            ready="/-/healthz",
            both_cores=True,
            settings={"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_USAGE_STATS_ENABLED": "0"},
        ),
    ]


def _as_json(path: str, document: dict[str, Any]) -> Request:
    return requests.as_json(path, document)


def _adapter(name: str) -> tuple[str, ...]:
    return ("-m", f"benchmarks.serving.peers.{name}")
