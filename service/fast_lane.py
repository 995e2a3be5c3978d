"""The fast lane: `POST /predict` answered before Starlette's and FastAPI's own handling of requests begins.

That handling (middleware, matching of routes, dependencies, response models) takes longer than to parse an image, run
the model and write the answer together. The lane does none of it: it knows the paths of the proved models, and calls
`predict_request.answer`, as the route in `routes.py` does. So the application is complete without it and describes
itself as any other; with it the same answers come sooner. docs/performance.md has the figures.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service import problems
from service.predict import Predictor
from service.predict_request import Answer, answer
from service.request_body import headers_of
from service.request_id import request_id_of


class FastLane:
    """An ASGI application that answers predictions itself and hands everything else on."""

    def __init__(self, app: ASGIApp, predictors: Mapping[str, Predictor], max_body_bytes: int) -> None:
        """`predictors` by their paths."""
        self._app = app
        self._predictors = predictors
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        predictor = self._predictors.get(scope.get("path", ""))
        if predictor is None or scope.get("method") != "POST":
            await self._app(scope, receive, send)
            return
        headers = headers_of(scope)
        request_id = request_id_of(headers)
        try:
            found = await answer(predictor, headers, scope["query_string"], receive, self._max_body_bytes)
        except Exception as error:
            scope.setdefault("state", {})["request_id"] = request_id
            response = problems.response_to(Request(scope), error)
            await response(scope, receive, send)
            return
        await send(_start(found, request_id))
        await send({"type": "http.response.body", "body": found.body})


def _start(found: Answer, request_id: str) -> dict[str, object]:
    headers = [
        (b"content-type", found.media_type.encode()),
        (b"content-length", b"%d" % len(found.body)),
        (b"x-request-id", request_id.encode()),
        *((name.encode(), value.encode()) for name, value in found.said.items()),
    ]
    return {"type": "http.response.start", "status": 200, "headers": headers}
