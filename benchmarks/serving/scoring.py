"""The model for the compared servers: onnxruntime on one thread, as in the service.

It imports nothing of the project, since the peers run it in their own environments.
"""

import json
import os

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray


class Scorer:
    """`DEMUR_MODEL_PATH`, loaded."""

    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(os.environ["DEMUR_MODEL_PATH"], options, ["CPUExecutionProvider"])
        self.labels: list[str] = json.loads(self._session.get_modelmeta().custom_metadata_map["demur.manifest"])[
            "labels"
        ]

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """[N, C] of uint8 [N, 28, 28], or [N, 784]."""
        output: NDArray[np.float32] = self._session.run(["probabilities"], {"images": pixels.reshape(-1, 28, 28)})[0]
        return output

    def top(self, probabilities: NDArray[np.float32], k: int = 3) -> list[dict[str, str | float]]:
        """The k likeliest labels of one row, the likeliest first."""
        best = np.argsort(-probabilities)[:k]
        return [{"label": self.labels[i], "probability": float(probabilities[i])} for i in best]
