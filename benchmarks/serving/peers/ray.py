"""Ray Serve: a deployment with one replica, its documented settings for throughput, no access log.

Proxy, controller, replica and Ray's own processes share both cores with wrk; on one core they are even slower.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.serving.scoring import Scorer


@serve.deployment(num_replicas=1, max_ongoing_requests=100)
class Classifier:
    """The model."""

    def __init__(self) -> None:
        self.scorer = Scorer()

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Probabilities and the top 3."""
        import numpy as np

        image = json.loads(await request.body())["image"]
        row = self.scorer.probabilities(np.array(image, dtype=np.uint8))[0]
        return {"probabilities": row.tolist(), "top_k": self.scorer.top(row)}


if __name__ == "__main__":
    environment = {"DEMUR_MODEL_PATH": os.environ["DEMUR_MODEL_PATH"], "PYTHONPATH": str(Path.cwd())}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": environment})
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["DEMUR_PORT"])})
    app = Classifier.bind()  # type: ignore[attr-defined]  # which the decorator adds
    serve.run(app, route_prefix="/predict", logging_config={"enable_access_log": False})
    signal.pause()
