"""KServe's Python server: a custom model, called by its V1 and V2 protocols.

No gRPC server, no latency log, no access log. It reads and writes JSON with orjson by itself. By default its
server runs in asyncio's own loop; it gets uvloop, which is faster.
"""

import asyncio
import logging
import os
from typing import Any

import numpy as np
import uvloop
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

from benchmarks.serving.scoring import Scorer


class Classifier(Model):
    """The model."""

    def __init__(self) -> None:
        super().__init__("fashion")
        self.scorer = Scorer()
        self.ready = True

    def predict(self, payload: dict[str, Any] | InferRequest, *_: object) -> dict[str, Any] | InferResponse:
        """Probabilities and the top 3; by V1 as JSON, by V2 as tensors."""
        if isinstance(payload, InferRequest):
            rows = self.scorer.probabilities(payload.inputs[0].as_numpy())
            output = InferOutput("probabilities", list(rows.shape), "FP32", data=rows.ravel().tolist())
            top = InferOutput("top_k", [3], "BYTES", data=[each["label"] for each in self.scorer.top(rows[0])])
            return InferResponse(payload.id, "fashion", [output, top])
        rows = self.scorer.probabilities(np.array(payload["instances"], dtype=np.uint8))
        return {"predictions": [{"probabilities": row.tolist(), "top_k": self.scorer.top(row)} for row in rows]}


if __name__ == "__main__":
    server = ModelServer(int(os.environ["DEMUR_PORT"]), workers=1, enable_grpc=False, enable_latency_logging=False)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("kserve.trace").disabled = True  # a line with the timings of each request
    uvloop.install()
    asyncio.set_event_loop(asyncio.new_event_loop())  # the server requests it before it runs in another one
    server.start([Classifier()])
