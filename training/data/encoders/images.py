"""Encodes images: the same steps in torch, for the fit, and as ONNX nodes, for the file."""

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor

from service.contract.inputs import ImageInput
from training.data.encoders.encoder import GraphPart

WHITE = 255.0


@dataclass(frozen=True, slots=True)
class ImageEncoder:
    """Flattens and scales: uint8 `[N, H, W]` or `[N, H, W, 3]` -> `[N, D]` in [0, 1]."""

    kind: ImageInput

    @property
    def width(self) -> int:
        """D, the number of features."""
        return self.kind.values

    @property
    def full_scale(self) -> float:
        """The level of white."""
        return WHITE

    def features(self, inputs: NDArray[Any], dtype: torch.dtype = torch.float32) -> Tensor:
        """The features of a batch of images, `[N, D]`.

        >>> import numpy as np
        >>> ImageEncoder(ImageInput(height=1, width=2)).features(np.array([[[0, 255]]], dtype=np.uint8))
        tensor([[0., 1.]])
        """
        return torch.tensor(inputs.reshape(len(inputs), -1), dtype=dtype) / WHITE

    def graph_part(self, output: str) -> GraphPart:
        """The levels from 0 to 255. The division by 255 is folded into the weights when a runtime loads the file."""
        nodes = [
            helper.make_node("Flatten", [self.kind.name], ["pixels"], axis=1),
            helper.make_node("Cast", ["pixels"], [output], to=TensorProto.DOUBLE),
        ]
        return GraphPart(nodes, {}, WHITE)
