"""The cost of the frameworks: a route of Starlette and one of FastAPI that do nothing.

`python -m benchmarks.serving.does_nothing starlette|fastapi`.
"""

import os
import sys

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def nothing(_: Request) -> Response:
    """Leave the body unread."""
    return JSONResponse({"status": "ok"})


def starlette() -> Starlette:
    """Starlette's."""
    return Starlette(routes=[Route("/readyz", nothing), Route("/predict", nothing, methods=["POST"])])


def fastapi() -> FastAPI:
    """FastAPI's."""
    app = FastAPI()

    @app.get("/readyz")
    @app.post("/predict")
    async def nothing() -> dict[str, str]:
        return {"status": "ok"}

    return app


if __name__ == "__main__":
    app = {"starlette": starlette, "fastapi": fastapi}[sys.argv[1]]()
    uvicorn.run(app, port=int(os.environ["DEMUR_PORT"]), access_log=False, log_level="warning")
