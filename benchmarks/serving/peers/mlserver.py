"""MLServer: a custom runtime, called by the V2 protocol.

No parallel workers, which would pass every request to another process; no access log, no gzip, no metrics. It reads
and writes JSON with orjson by itself.
"""

import asyncio
import os

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.serving.scoring import Scorer


class Classifier(MLModel):
    """The model."""

    async def load(self) -> bool:
        """Once, at the start."""
        self.scorer = Scorer()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Probabilities, and the labels of the top 3."""
        probabilities = self.scorer.probabilities(NumpyCodec.decode_input(payload.inputs[0]))
        top = [each["label"] for each in self.scorer.top(probabilities[0])]
        outputs = [NumpyCodec.encode_output("probabilities", probabilities), StringCodec.encode_output("top_k", top)]
        return InferenceResponse(model_name=self.name, outputs=outputs)


if __name__ == "__main__":
    settings = Settings(
        debug=False,
        parallel_workers=0,
        gzip_enabled=False,
        metrics_endpoint=None,
        host="127.0.0.1",
        http_port=int(os.environ["DEMUR_PORT"]),
        grpc_port=0,
    )
    model = ModelSettings(name="fashion", implementation=Classifier)
    asyncio.run(MLServer(settings).start([model]))
