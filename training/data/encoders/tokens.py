"""Encodes contexts of tokens: the embeddings of the tokens, concatenated."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor

from service.contract.inputs import TokensInput
from training.data.encoders.encoder import GraphPart


@dataclass(frozen=True, slots=True)
class TokenEncoder:
    """Looks up embeddings and concatenates them: int64 `[N, context]` -> `[N, context * E]`."""

    kind: TokensInput
    embeddings: NDArray[np.float32]  # [V, E]

    @property
    def width(self) -> int:
        """D, the number of features."""
        size: int = self.embeddings.shape[1]
        return self.kind.context * size

    @property
    def full_scale(self) -> None:
        """None: tokens need more than a division."""

    def features(self, inputs: NDArray[Any], dtype: torch.dtype = torch.float32) -> Tensor:
        """The features of a batch of contexts, `[N, D]`.

        >>> kind = TokensInput(context=2, vocabulary=["a", "b"], unknown=0)
        >>> encoder = TokenEncoder(kind, np.array([[1, 2], [3, 4]], dtype=np.float32))
        >>> encoder.features(np.array([[1, 0]]))
        tensor([[3., 4., 1., 2.]])
        """
        return torch.from_numpy(self.embeddings[inputs].reshape(len(inputs), -1)).to(dtype)

    def graph_part(self, output: str) -> GraphPart:
        """The same steps as nodes. The embeddings are stored in float32, as they were trained."""
        nodes = [
            helper.make_node("Gather", ["embeddings", self.kind.name], ["embedded"], axis=0),
            helper.make_node("Flatten", ["embedded"], ["joined"], axis=1),
            helper.make_node("Cast", ["joined"], [output], to=TensorProto.DOUBLE),
        ]
        return GraphPart(nodes, {"embeddings": self.embeddings}, 1.0)
