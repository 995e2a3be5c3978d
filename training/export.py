"""The model as one ONNX file: the graph, from the client's input to probabilities, and the manifest in it."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from service.manifest import METADATA_KEY, ImageInput, Manifest
from training import image_input
from training.regression import SoftmaxRegression

# The oldest pair that has every operator as it is used here, so that runtimes from 2020 on load the file.
OPSET = 13
IR_VERSION = 7


def to_onnx(model: SoftmaxRegression, manifest: Manifest) -> bytes:
    """The complete file: the model's graph with `manifest` in its metadata. The same input gives the same bytes."""
    proto = helper.make_model(
        _graph(model, manifest.input),
        producer_name="demur",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(proto, {METADATA_KEY: manifest.model_dump_json()})
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _graph(model: SoftmaxRegression, kind: ImageInput) -> onnx.GraphProto:
    # From pixels to probabilities it computes in float64. In float32 a sum of 784 terms differs with their order, and
    # so between runtimes and processors; in float64 all agree up to the rounding to float32 at the end.
    # docs/architecture.md has the figures and the price. The weights are stored in float32, as they were trained: a
    # runtime widens and scales them once, when it loads the file. The scale is not the Gemm's `alpha`, which is a
    # float32 whatever the Gemm computes in.
    nodes, full_scale = image_input.graph_nodes(kind, "levels")
    nodes += [
        helper.make_node("Cast", ["weights"], ["wide_weights"], to=TensorProto.DOUBLE),
        helper.make_node("Div", ["wide_weights", "full_scale"], ["scaled_weights"]),
        helper.make_node("Cast", ["biases"], ["wide_biases"], to=TensorProto.DOUBLE),
        helper.make_node("Gemm", ["levels", "scaled_weights", "wide_biases"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["wide_probabilities"], axis=1),
        helper.make_node("Cast", ["wide_probabilities"], ["probabilities"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["probabilities"], ["confidence"], axes=[1], keepdims=0),
    ]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(model.biases)]),
        helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["N"]),
    ]
    constants = [
        numpy_helper.from_array(_array(model.weights), "weights"),  # [D, C]
        numpy_helper.from_array(_array(model.biases), "biases"),  # [C]
        numpy_helper.from_array(np.array(full_scale, dtype=np.float64), "full_scale"),
    ]
    return helper.make_graph(nodes, "demur", [image_input.graph_input(kind)], outputs, constants)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.numpy(), dtype=np.float32)
