"""BentoML: a service with one worker; its method is a coroutine, since a plain one would run in a thread.

No access log, no metrics, no tracing. Its uvicorn gets uvloop and httptools, although BentoML does not require them.
"""

import os
import sys
from typing import Annotated, Any

import bentoml
import numpy as np
from pydantic import Field

from benchmarks.serving.scoring import Scorer

Pixel = Annotated[int, Field(ge=0, le=255)]


@bentoml.service(workers=1, logging={"access": {"enabled": False}}, metrics={"enabled": False})
class Classifier:
    """The model."""

    def __init__(self) -> None:
        self.scorer = Scorer()

    @bentoml.api
    async def predict(self, image: list[Pixel]) -> dict[str, Any]:
        """Probabilities and the top 3."""
        row = self.scorer.probabilities(np.array(image, dtype=np.uint8))[0]
        return {"probabilities": row.tolist(), "top_k": self.scorer.top(row)}


if __name__ == "__main__":
    settings = {"BENTOML_PORT": os.environ["DEMUR_PORT"], "BENTOML_HOST": "127.0.0.1", "BENTOML_DO_NOT_TRACK": "true"}
    command = [sys.executable, "-m", "bentoml", "serve", "benchmarks.serving.peers.bentoml:Classifier"]
    os.execve(sys.executable, command, {**os.environ, **settings})
