"""What answers the paths of the fast lane."""

from typing import Protocol
from urllib.parse import quote

from service.http.predict_request import PredictEndpoint
from service.http.request_body import Headers
from service.inference.batching import Batcher
from service.inference.predictor import PreparedRequest
from service.registry.served_model import Models


class Endpoint(Protocol):
    """Answers small requests to one path."""

    @property
    def route(self) -> str:
        """The template of its route, as in an `Exchange`."""
        ...

    @property
    def batcher(self) -> Batcher:
        """Scores the inputs of its requests."""
        ...

    def prepare(self, body: bytes, headers: Headers, query_string: bytes) -> PreparedRequest:
        """Read one request. Raises an exception for one that the application must answer."""
        ...


def of_models(models: Models) -> dict[bytes, Endpoint]:
    """The endpoints of all models that are ready, by request path."""
    by_path: dict[bytes, Endpoint] = {}
    for name, model in models.by_name.items():
        if model is not None:
            path = f"/models/{quote(name)}/predict"
            by_path[path.encode()] = PredictEndpoint(model.predictor, "/models/{name}/predict")
    if models.default_name is not None:
        by_path[b"/predict"] = PredictEndpoint(models.get(None).predictor, "/predict")
    return by_path
