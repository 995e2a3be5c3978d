"""A plain service: FastAPI, lists by pydantic and onnxruntime, in a `def` route and in an `async def` one."""

import os
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.serving.scoring import Scorer


class Images(BaseModel):
    """The request: each image 784 integers."""

    inputs: list[list[int]]


def application() -> FastAPI:
    """The application with its model."""
    app, scorer = FastAPI(), Scorer()

    def answer(images: Images) -> dict[str, Any]:
        rows = scorer.probabilities(np.array(images.inputs, dtype=np.uint8))
        return {"predictions": [{"probabilities": row.tolist(), "top_k": scorer.top(row)} for row in rows]}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/def")
    def in_def(images: Images) -> dict[str, Any]:
        return answer(images)

    @app.post("/async-def")
    async def in_async_def(images: Images) -> dict[str, Any]:
        return answer(images)

    return app


if __name__ == "__main__":
    uvicorn.run(application(), port=int(os.environ["DEMUR_PORT"]), access_log=False, log_level="warning")
