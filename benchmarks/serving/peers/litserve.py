"""LitServe: one API server and one worker, two processes connected by its fast queue over ZeroMQ.

Its server is uvicorn with uvloop and httptools; no access log. No batching, since one image takes microseconds.
"""

import os
from typing import Any

import litserve
import numpy as np

from benchmarks.serving.scoring import Scorer


class Classifier(litserve.LitAPI):
    """The model."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """In the worker, once."""
        self.scorer = Scorer()

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Probabilities and the top 3."""
        row = self.scorer.probabilities(np.array(request["image"], dtype=np.uint8))[0]
        return {"probabilities": row.tolist(), "top_k": self.scorer.top(row)}


if __name__ == "__main__":
    server = litserve.LitServer(Classifier(), accelerator="cpu", workers_per_device=1, fast_queue=True)
    port = int(os.environ["DEMUR_PORT"])
    server.run("127.0.0.1", port, num_api_servers=1, log_level="warning", generate_client_file=False, access_log=False)
