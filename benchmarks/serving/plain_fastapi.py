"""What one would write first: FastAPI, pydantic's lists and onnxruntime, in a `def` route and in an `async def` one."""

import os
from typing import Annotated

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

from benchmarks.serving.scoring import Scorer


class Images(BaseModel):
    """The request: each image 784 integers."""

    inputs: list[Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=784, max_length=784)]]


class LabelProbability(BaseModel):
    """A class and how likely it is."""

    label: str
    probability: float


class Prediction(BaseModel):
    """The answer for one image."""

    probabilities: list[float]
    top_k: list[LabelProbability]


class Predictions(BaseModel):
    """The answer."""

    predictions: list[Prediction]


def application() -> FastAPI:
    """The application with its model."""
    app, scorer = FastAPI(), Scorer()

    def answer(images: Images) -> Predictions:
        rows = scorer.probabilities(np.array(images.inputs, dtype=np.uint8))
        return Predictions(
            predictions=[
                Prediction(probabilities=row.tolist(), top_k=[LabelProbability(**each) for each in scorer.top(row)])
                for row in rows
            ]
        )

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/def")
    def in_def(images: Images) -> Predictions:
        return answer(images)

    @app.post("/async-def")
    async def in_async_def(images: Images) -> Predictions:
        return answer(images)

    return app


if __name__ == "__main__":
    uvicorn.run(application(), port=int(os.environ["DEMUR_PORT"]), access_log=False, log_level="warning")
