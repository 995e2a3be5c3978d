"""The interface of an encoder: inputs become features, in torch and in the graph, by the same steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import onnx
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor

from service.contract.inputs import Kind
from training.data.dataset import Labelled


@dataclass(frozen=True, slots=True)
class GraphPart:
    """The nodes from the graph's input to float64 `[N, D]`, their constants, and the divisor that they leave out."""

    nodes: list[onnx.NodeProto]
    constants: dict[str, NDArray[Any]]
    full_scale: float


class Encoder(Protocol):
    """Turns inputs of one kind, `[N, *kind.row_shape]`, into features, `[N, D]`."""

    @property
    def kind(self) -> Kind:
        """The manifest's description of the input."""
        ...

    @property
    def width(self) -> int:
        """D, the number of features."""
        ...

    @property
    def full_scale(self) -> float | None:
        """The divisor, if features are bytes divided by it and nothing else; else None."""
        ...

    def features(self, inputs: NDArray[Any], dtype: torch.dtype = torch.float32) -> Tensor:
        """The features of a batch, `[N, D]`."""
        ...

    def graph_part(self, output: str) -> GraphPart:
        """The same steps as nodes of the graph, from the input to `output`."""
        ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """The features of N examples, in blocks `[B, D]` that are computed anew in each iteration."""

    part: Labelled
    encoder: Encoder
    dtype: torch.dtype = torch.float32

    def __iter__(self) -> Iterator[Tensor]:
        return (self.encoder.features(block, self.dtype) for block in self.part.blocks())


def graph_input(kind: Kind) -> onnx.ValueInfoProto:
    """The graph's input, with a dynamic batch axis."""
    return helper.make_tensor_value_info(kind.name, helper.np_dtype_to_tensor_dtype(kind.dtype), ["N", *kind.row_shape])
