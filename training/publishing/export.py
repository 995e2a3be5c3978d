"""Exports the model as one ONNX file: the graph, from the client's input to probabilities, and the manifest."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from service.contract.manifest import METADATA_KEY, Manifest
from training.certification.principal_components import FAINT, PrincipalComponents
from training.data.encoders.encoder import graph_input
from training.fitting.principal_axes import PrincipalAxes
from training.publishing.model import Model
from training.publishing.quadratic_form import OUTPUT, QuadraticForm

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
    # figures. The weights are stored in float32, as they were trained: a runtime widens and scales them once, when it
    # loads the file. The scale is not the Gemm's `alpha`, which is always float32.
    reading = model.encoder.graph_part("levels")
    axes = model.components if model.axes is None else model.axes
    form = QuadraticForm.of(model.regression)
    parts = [
        _project(axes, reading.full_scale),
        _lift(model, form, axes, reading.full_scale),
        _classify(model, form, reading.full_scale),
        _ood_score(model.components, reading.full_scale)
        if form is None
        else _ood_score_beside_lift(model.components, axes, reading.full_scale),
    ]
    outputs = [
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(model.regression.biases)]),
        helper.make_tensor_value_info("confidence", TensorProto.FLOAT, ["N"]),
        helper.make_tensor_value_info("ood_score", TensorProto.FLOAT, ["N"]),
    ]
    nodes, constants = reading.nodes, reading.constants
    for more_nodes, more_constants in parts:
        nodes, constants = nodes + more_nodes, constants | more_constants
    return helper.make_graph(
        nodes,
        "demur",
        [graph_input(model.encoder.kind)],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def _project(axes: _Axes, full_scale: float) -> _Part:
    """`levels`, float64 `[N, D]` -> `along`, float64 `[N, K]`: x - mean along each axis.

    The axes are most of the graph's numbers. They are multiplied in float32 where its sums are exact.
    """
    numbers = axes.axes.numpy()  # [D, K]
    offset = -axes.mean.numpy() * full_scale @ numbers  # [K]
    if not axes.exact_in_float32:
        return [helper.make_node("Gemm", ["levels", "axes", "axes_offset"], ["along"])], {
            "axes": numbers,
            "axes_offset": offset,
        }
    return [
        helper.make_node("Cast", ["levels"], ["narrow_levels"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["narrow_levels", "axes"], ["narrow_along"]),
        helper.make_node("Cast", ["narrow_along"], ["along_from_zero"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["along_from_zero", "axes_offset"], ["along"]),
    ], {"axes": numbers.astype(np.float32), "axes_offset": offset}


def _lift(model: Model, form: QuadraticForm | None, axes: _Axes, full_scale: float) -> _Part:
    """`along` -> the quadratic part of the logits; nothing if there is none."""
    if form is None:
        return [], {}
    count = form.lift.components
    # The projection is the axes divided by the deviations.
    spread = axes.axes[:, :count].norm(dim=0) / form.lift.projection.norm(dim=0) * full_scale
    if count == axes.axes.shape[1]:
        return form.graph_part("along", spread.numpy(), model.temperature)
    # The gate has more axes, or the lift leaves some out.
    bounds = {"first_axis": np.array([0]), "lift_axes": np.array([count]), "columns": np.array([1])}
    nodes, constants = form.graph_part("lift_along", spread.numpy(), model.temperature)
    return [helper.make_node("Slice", ["along", *bounds], ["lift_along"]), *nodes], bounds | constants


def _classify(model: Model, form: QuadraticForm | None, full_scale: float) -> _Part:
    """`levels`, float64 `[N, D]` -> `probabilities`, float32 `[N, C]`, and `confidence`, float32 `[N]`."""
    node = helper.make_node
    nodes = [
        node("Cast", ["weights"], ["wide_weights"], to=TensorProto.DOUBLE),
        node("Div", ["wide_weights", "weight_divisor"], ["scaled_weights"]),
        node("Cast", ["biases"], ["wide_biases"], to=TensorProto.DOUBLE),
    ]
    constants: _Constants = {
        "weights": _float32(model.regression.weights),  # [D, C]
        "biases": _float32(model.regression.biases),  # [C]
        "weight_divisor": np.array(full_scale * model.temperature),
        "temperature": np.array(model.temperature),
    }
    if form is None:
        nodes += [
            node("Div", ["wide_biases", "temperature"], ["scaled_biases"]),
            node("Gemm", ["levels", "scaled_weights", "scaled_biases"], ["logits"]),
        ]
    else:
        nodes += [
            node("Sub", ["wide_biases", "product_means"], ["centred_biases"]),
            node("Div", ["centred_biases", "temperature"], ["scaled_biases"]),
            node("Gemm", ["levels", "scaled_weights", "scaled_biases"], ["linear_logits"]),
            node("Add", ["linear_logits", OUTPUT], ["logits"]),
        ]
        constants["product_means"] = form.means  # [C]
    nodes += [
        node("Softmax", ["logits"], ["wide_probabilities"], axis=1),
        node("Cast", ["wide_probabilities"], ["probabilities"], to=TensorProto.FLOAT),
        node("ReduceMax", ["probabilities"], ["confidence"], axes=[1], keepdims=0),
    ]
    return nodes, constants


def _ood_score(components: PrincipalComponents, full_scale: float) -> _Part:
    """`levels` and `along` -> `ood_score`, float32 `[N]`, as `PrincipalComponents.score` computes it.

    With x the levels, the energy |x - mean|^2 is expanded into |x|^2 - 2 x.mean + |mean|^2, and the mean's part of the
    projection is a bias, so that x is read three times and never copied. The unit is the level, not the feature.
    """
    node = helper.make_node
    nodes = [
        node("ReduceSumSquare", ["along"], ["inside"], axes=[1], keepdims=1),  # [N, 1], as all that follow
        node("ReduceSumSquare", ["levels"], ["energy"], axes=[1], keepdims=1),
        node("Gemm", ["levels", "mean", "mean_energy"], ["shift"], alpha=-2.0),
        node("Add", ["energy", "shift"], ["centred_energy"]),
        node("Sub", ["centred_energy", "inside"], ["signed_residual"]),
        node("Max", ["signed_residual", "zero"], ["residual"]),
        node("Div", ["residual", "residual_scale"], ["residual_share"]),
        node("Add", ["residual", "faint"], ["lit_residual"]),
        node("Add", ["energy", "faint"], ["lit_energy"]),
        node("Div", ["lit_residual", "lit_energy"], ["relative"]),
        node("Div", ["relative", "relative_scale"], ["relative_share"]),
        node("Div", ["along", "spread"], ["deviations"]),  # [N, K]
        node("ReduceSumSquare", ["deviations"], ["hotelling_share"], axes=[1], keepdims=1),
        node("Max", ["residual_share", "relative_share", "hotelling_share"], ["strangeness"]),
        node("Cast", ["strangeness"], ["narrow_strangeness"], to=TensorProto.FLOAT),
        node("Squeeze", ["narrow_strangeness", "last_axis"], ["ood_score"]),
    ]
    residual_scale, relative_scale, hotelling_scale = components.scales.tolist()
    mean = components.mean.numpy() * full_scale  # [D]
    return nodes, {
        "mean": mean[:, None],  # [D, 1]
        "mean_energy": np.array([mean @ mean]),
        "zero": np.array(0.0),
        "faint": np.array(FAINT * full_scale**2),
        "residual_scale": np.array(residual_scale * full_scale**2),
        "relative_scale": np.array(relative_scale),
        "spread": np.sqrt(components.variances.numpy() * hotelling_scale) * full_scale,  # [K]
        "last_axis": np.array([1]),
    }


def _ood_score_beside_lift(components: PrincipalComponents, axes: _Axes, full_scale: float) -> _Part:
    """The same beside a lift, in two thirds of the nodes; the scores are equal up to rounding.

    The three statistics are columns of `[N, 3]`, each a share, numerator by denominator: the residual, the residual
    with its faint part, and T^2, by the scale, the energy with its faint part times the scale, and 1. Both are linear
    in |x|^2, x.mean and the squares along the axes. The further axes of the lift have no part in them.
    """
    node = helper.make_node
    nodes = [
        node("Mul", ["mean", "mean_parts"], ["mean_columns"]),  # [D, 3], once, when a runtime loads the file
        node("Gemm", ["levels", "mean_columns", "mean_energies"], ["shifts"]),
        node("Mul", ["along", "along"], ["squares"]),  # [N, K]
        node("Gemm", ["squares", "square_parts", "shifts"], ["shifted_squares"]),
        node("ReduceSumSquare", ["levels"], ["energy"], axes=[1], keepdims=1),  # [N, 1]
        node("Gemm", ["energy", "energy_parts", "shifted_squares"], ["signed_numerators"]),
        node("Max", ["signed_numerators", "least_numerators"], ["numerators"]),
        node("Gemm", ["energy", "energy_scales", "scales"], ["denominators"]),
        node("Div", ["numerators", "denominators"], ["shares"]),
        node("ReduceMax", ["shares"], ["strangeness"], axes=[1], keepdims=0),
        node("Cast", ["strangeness"], ["ood_score"], to=TensorProto.FLOAT),
    ]
    residual_scale, relative_scale, hotelling_scale = components.scales.tolist()
    mean, faint = components.mean.numpy() * full_scale, FAINT * full_scale**2
    square_parts = np.zeros((axes.axes.shape[1], 3))
    of_gate = square_parts[: components.axes.shape[1]]
    of_gate[:, :2] = -1
    of_gate[:, 2] = 1 / (components.variances.numpy() * hotelling_scale * full_scale**2)
    return nodes, {
        "mean": mean[:, None],  # [D, 1]
        "mean_parts": np.array([[-2.0, -2.0, 0.0]]),
        "mean_energies": np.array([mean @ mean, mean @ mean + faint, 0.0]),
        "square_parts": square_parts,
        "energy_parts": np.array([[1.0, 1.0, 0.0]]),
        "least_numerators": np.array([0.0, faint, 0.0]),
        "energy_scales": np.array([[0.0, relative_scale, 0.0]]),
        "scales": np.array([residual_scale * full_scale**2, relative_scale * faint, 1.0]),
    }


def _float32(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.numpy(), dtype=np.float32)
