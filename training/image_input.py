"""Images on their way into the model: the same steps for the fit, in torch, and for the file, as ONNX nodes."""

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor

from service.manifest import ImageInput

WHITE = 255.0


def describe(images: NDArray[np.uint8]) -> ImageInput:
    """The manifest's account of `images`, `[N, H, W]`."""
    return ImageInput(height=images.shape[1], width=images.shape[2])


def features(images: NDArray[np.uint8], dtype: torch.dtype = torch.float32) -> Tensor:
    """Flatten and scale: uint8 `[N, H, W]` -> `dtype` `[N, H * W]` in [0, 1].

    >>> features(np.array([[[0, 255]]], dtype=np.uint8))
    tensor([[0., 1.]])
    """
    return torch.tensor(images.reshape(len(images), -1), dtype=dtype) / WHITE


def graph_input(kind: ImageInput) -> onnx.ValueInfoProto:
    """The graph's input: uint8 `[N, H, W]`."""
    return helper.make_tensor_value_info(kind.name, TensorProto.UINT8, ["N", *kind.row_shape])


def graph_nodes(kind: ImageInput, output: str) -> tuple[list[onnx.NodeProto], float]:
    """The nodes from the input to `output`, float64 `[N, H * W]`, and what is left to divide it by.

    The division by 255 is left to the weights, which a runtime divides once, when it loads the file.
    """
    nodes = [
        helper.make_node("Flatten", [kind.name], ["pixels"], axis=1),
        helper.make_node("Cast", ["pixels"], [output], to=TensorProto.DOUBLE),
    ]
    return nodes, WHITE
