"""The upper limit for a Python server: a bare ASGI application on uvicorn that answers constant bytes.

`LIMIT_BYTES` sets the number of bytes, `DEMUR_WORKERS` the number of processes.
"""

import os

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope


class Constant:
    """The application."""

    def __init__(self) -> None:
        self._answer = b"x" * int(os.environ["LIMIT_BYTES"])
        self._headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self._answer)).encode()),
        ]

    async def __call__(self, _: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request."""
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": self._headers, "trailers": False})
        await send({"type": "http.response.body", "body": self._answer, "more_body": False})


if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.serving.limit:Constant",
        factory=True,
        port=int(os.environ["DEMUR_PORT"]),
        workers=int(os.environ.get("DEMUR_WORKERS", "1")),
        access_log=False,
        log_level="warning",
        lifespan="off",
    )
