"""What every kind of input has to be able to do: become features, in torch and in the graph, by the same steps."""

from dataclasses import dataclass
from typing import Any, Protocol

import onnx
import torch
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor

from service.contract.inputs import Kind


@dataclass(frozen=True, slots=True)
class GraphPart:
    """The nodes from the graph's input to float64 `[N, D]`, their constants, and what is left to divide it by."""

    nodes: list[onnx.NodeProto]
    constants: dict[str, NDArray[Any]]
    full_scale: float


class Encoder(Protocol):
    """Inputs of one kind `[N, *kind.row_shape]` on their way to features `[N, D]`."""

    @property
    def kind(self) -> Kind:
        """What the manifest says of the input."""
        ...

    @property
    def width(self) -> int:
        """D, the number of features."""
        ...

    @property
    def full_scale(self) -> float | None:
        """What bytes are divided by where that is all that makes them features, or None."""
        ...

    def features(self, inputs: NDArray[Any], dtype: torch.dtype = torch.float32) -> Tensor:
        """The features of a batch, `[N, D]`."""
        ...

    def graph_part(self, output: str) -> GraphPart:
        """The same as the start of the graph: from the input to `output`."""
        ...


def graph_input(kind: Kind) -> onnx.ValueInfoProto:
    """The graph's input, its batch axis free."""
    return helper.make_tensor_value_info(kind.name, helper.np_dtype_to_tensor_dtype(kind.dtype), ["N", *kind.row_shape])
