"""Every request has an id, which its response repeats: the client's `X-Request-ID` if sound, or a new one."""

import random
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.request_body import Headers, headers_of

HEADER = "X-Request-ID"
_KEY = HEADER.lower().encode()
# What may go into a header and a log line as it is.
_SOUND = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id_of(headers: Headers) -> str:
    """The id that the request brings, if it is sound, or a new one."""
    given = headers.get(_KEY)
    if given is not None and _SOUND.fullmatch(text := given.decode("latin-1")):
        return text
    return f"{random.getrandbits(128):032x}"  # to tell requests apart, and no secret


class RequestIdMiddleware:
    """Puts the id into `request.state.request_id` and into the response's headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(headers_of(scope))
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self.app(scope, receive, send_with_id)
