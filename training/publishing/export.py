"""Exports the model as one ONNX file: the graph, from the client's input to probabilities, and the manifest."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from service.contract.manifest import METADATA_KEY, Manifest
from training.certification.principal_components import PrincipalComponents
from training.data.encoders.encoder import graph_input
from training.fitting.principal_axes import PrincipalAxes
from training.publishing.gate import gate_part, gate_part_of_whole_numbers
from training.publishing.model import Model
from training.publishing.quadratic_form import COORDINATES, LINEAR_LOGITS, LOGITS, QuadraticForm
from training.publishing.whole_numbers import NUMBERS, WholeNumbers, energy_rows

# The oldest versions with every operator as it is used here: runtimes from 2020 on load the file.
OPSET = 13
IR_VERSION = 7

_Constants = dict[str, NDArray[Any]]
_Part = tuple[list[onnx.NodeProto], _Constants]
_Axes = PrincipalAxes | PrincipalComponents


def to_onnx(model: Model, manifest: Manifest) -> bytes:
    """The complete file: the model's graph with `manifest` in its metadata. The same input gives the same bytes."""
    proto = helper.make_model(
        _graph(model),
        producer_name="demur",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    helper.set_model_props(proto, {METADATA_KEY: manifest.model_dump_json()})
    onnx.checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def _graph(model: Model) -> onnx.GraphProto:
    # The graph computes in float64. In float32 a sum of 784 terms depends on their order, and so on the runtime and the
    # processor; in float64 all agree up to the rounding to float32 at the end. docs/evidence/serving.md has the
    # figures. Pixels are multiplied as whole numbers, which is exact.
    axes = model.components if model.axes is None else model.axes
    form = QuadraticForm.of(model.regression)
    whole = WholeNumbers.of(model, axes)
    parts = [
        _biases(model, form),
        *(_of_levels(model, form, axes) if whole is None else _of_whole_numbers(model, form, axes, whole)),
        *([] if form is None else [form.graph_part(model.temperature)]),
        _probabilities(LINEAR_LOGITS if form is None else LOGITS),
    ]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(model.regression.biases)]),
        helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("ood_score", TensorProto.FLOAT, ["N"]),
    ]
    nodes: list[onnx.NodeProto] = []
    constants: _Constants = {}
    for more_nodes, more_constants in parts:
        nodes, constants = nodes + more_nodes, constants | more_constants
    return helper.make_graph(
        nodes,
        "demur",
        [graph_input(model.encoder.kind)],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def _of_whole_numbers(model: Model, form: QuadraticForm | None, axes: _Axes, whole: WholeNumbers) -> list[_Part]:
    """A picture -> LINEAR_LOGITS, the coordinates of the lift, and `ood_score`."""
    full_scale = model.encoder.graph_part("levels").full_scale
    node = helper.make_node
    parts = [
        whole.graph_part(model.encoder.kind.name, model.encoder.kind.row_shape),
        (
            [node("Gemm", [NUMBERS, "logit_parts", "scaled_biases"], [LINEAR_LOGITS])],
            {"logit_parts": whole.weight_parts / (full_scale * model.temperature)},
        ),
        gate_part_of_whole_numbers(model.components, whole, energy_rows(model.encoder.kind.row_shape), full_scale),
    ]
    if form is not None:
        count = form.lift.components
        factors, added = form.scaling(axes)
        steps = factors * whole.axis_units[:count] / full_scale
        offsets = added - (axes.mean @ axes.axes[:, :count]).numpy() * factors
        nodes = [
            node("Slice", [NUMBERS, "first_axis", "lift_axes", "columns_axis"], ["lift_numbers"]),
            node("Mul", ["lift_numbers", "coordinate_steps"], ["coordinates_from_zero"]),
            node("Add", ["coordinates_from_zero", "coordinate_offsets"], [COORDINATES]),
        ]
        parts.append((nodes, _slice_bounds(count) | {"coordinate_steps": steps, "coordinate_offsets": offsets}))
    return parts


def _of_levels(model: Model, form: QuadraticForm | None, axes: _Axes) -> list[_Part]:
    """The same in float64. The weights are stored in float32, as they were trained.

    A runtime widens and scales them once, when it loads the file. The scale is not the Gemm's `alpha`, which is always
    float32.
    """
    reading = model.encoder.graph_part("levels")
    full_scale, node = reading.full_scale, helper.make_node
    kept = axes.axes.shape[1]
    parts: list[_Part] = [
        (reading.nodes, reading.constants),
        (
            [
                node("ReduceSumSquare", ["levels"], ["energies"], axes=[1], keepdims=1),
                node("Gemm", ["levels", "axes", "axes_offset"], ["along"]),  # x - mean along each axis, [N, K]
                node("Cast", ["weights"], ["wide_weights"], to=TensorProto.DOUBLE),
                node("Div", ["wide_weights", "weight_divisor"], ["scaled_weights"]),
                node("Gemm", ["levels", "scaled_weights", "scaled_biases"], [LINEAR_LOGITS]),
            ],
            {
                "axes": axes.axes.numpy(),  # [D, K]
                "axes_offset": -(axes.mean @ axes.axes).numpy() * full_scale,
                "weights": _float32(model.regression.weights),  # [D, C]
                "weight_divisor": np.array(full_scale * model.temperature),
            },
        ),
        gate_part(model.components, kept, full_scale),
    ]
    if form is not None:
        count = form.lift.components
        source = "along" if count == kept else "lift_along"  # the gate has more axes, or the lift leaves some out
        bounds = {} if count == kept else _slice_bounds(count)
        nodes = [node("Slice", ["along", *bounds], [source])] if bounds else []
        factors, added = form.scaling(axes)
        nodes += [
            node("Mul", [source, "coordinate_steps"], ["scaled_along"]),
            node("Add", ["scaled_along", "coordinate_offset"], [COORDINATES]),
        ]
        constants = {"coordinate_steps": factors / full_scale, "coordinate_offset": np.array(added)}
        parts.append((nodes, bounds | constants))
    return parts


def _slice_bounds(count: int) -> _Constants:
    return {"first_axis": np.array([0]), "lift_axes": np.array([count]), "columns_axis": np.array([1])}


def _biases(model: Model, form: QuadraticForm | None) -> _Part:
    """`scaled_biases`, float64 `[C]`, once, when a runtime loads the file."""
    node = helper.make_node
    constants: _Constants = {"biases": _float32(model.regression.biases), "temperature": np.array(model.temperature)}
    nodes = [node("Cast", ["biases"], ["wide_biases"], to=TensorProto.DOUBLE)]
    biases = "wide_biases"
    if form is not None:
        biases = "centred_biases"
        nodes.append(node("Sub", ["wide_biases", "product_means"], [biases]))
        constants["product_means"] = form.means  # [C]
    return [*nodes, node("Div", [biases, "temperature"], ["scaled_biases"])], constants


def _probabilities(logits: str) -> _Part:
    """Logits, float64 `[N, C]` -> `probabilities`, float32 `[N, C]`, and `confidence`, float32 `[N]`."""
    node = helper.make_node
    return [
        node("Softmax", [logits], ["wide_probabilities"], axis=1),
        node("Cast", ["wide_probabilities"], ["probabilities"], to=TensorProto.FLOAT),
        node("ReduceMax", ["probabilities"], ["confidence"], axes=[1], keepdims=0),
    ], {}


def _float32(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.numpy(), dtype=np.float32)
