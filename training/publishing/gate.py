"""The nodes of `ood_score`, as `PrincipalComponents.score` computes it.

The three statistics are columns of `[N, 3]`, each a share, numerator by denominator: the residual, the residual with
its faint part, and T^2, by the scale, the energy with its faint part times the scale, and 1. With x the levels and a
the K products of x - mean and the axes, a numerator is

    e |x|^2 - 2 e x.mean + sum_k s_k a_k^2 + a constant,

where e is 1, 1 and 0, and s is -1, -1 and the reciprocals of the variances. So x is read twice and never copied, and
the number of nodes is as small for a picture as for a table. Where the graph has a_k + mean.axis_k, the products of
whole numbers, the squares are expanded. The unit is the level, not the feature. The residual is not held to at least 0,
where a rounding error may take it: the faint part alone makes the second share greater than that.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from training.certification.principal_components import FAINT, PrincipalComponents
from training.publishing.whole_numbers import NUMBERS, WholeNumbers

_ENERGY = np.array([[1.0, 1.0, 0.0]])  # e
_Part = tuple[list[NodeProto], dict[str, NDArray[Any]]]


def gate_part(components: PrincipalComponents, along: int, full_scale: float) -> _Part:
    """`levels`, `[N, D]`, `along`, the K products, and `energies`, `[N, R]`, all float64 -> `ood_score`, float32 `[N]`.

    The first of the K axes are those of the components.
    """
    mean = components.mean.numpy() * full_scale  # [D]
    squares = np.zeros((along, 3))
    squares[: components.axes.shape[1]] = _square_parts(components, full_scale)
    constants = {
        "mean": mean[:, None],
        "mean_shares": -2 * _ENERGY,
        "square_parts": squares,
        "statistic_offsets": _offsets(float(mean @ mean), full_scale),
    }
    nodes = [
        helper.make_node("Mul", ["mean", "mean_shares"], ["statistic_parts"]),  # once, when a runtime loads the file
        *_nodes("levels", "along"),
    ]
    return nodes, constants | _shares(components, 1, full_scale)


def gate_part_of_whole_numbers(
    components: PrincipalComponents, whole: WholeNumbers, rows: int, full_scale: float
) -> _Part:
    """NUMBERS, `[N, M]`, and `energies`, `[N, R]`, both float64 -> `ood_score`, float32 `[N]`. R is `rows`."""
    mean = (whole.columns @ whole.mean_parts)[:, 0] * full_scale  # as the graph has it: near it, |x - mean|^2 is small
    kept = components.axes.shape[1]
    parts = _square_parts(components, full_scale)  # s, [K, 3]
    units, offsets = whole.axis_units[:kept, None], -(mean @ components.axes.numpy())[:, None]  # a = unit n + offset
    squares, lines = np.zeros((len(whole.mean_parts), 3)), np.zeros((len(whole.mean_parts), 3))
    squares[:kept] = parts * units**2
    lines[:kept] = 2 * parts * units * offsets
    constants = {
        "mean_parts": whole.mean_parts * full_scale,
        "mean_shares": -2 * _ENERGY,
        "line_parts": lines,
        "square_parts": squares,
        "statistic_offsets": _offsets(float(mean @ mean), full_scale) + (parts * offsets**2).sum(axis=0),
    }
    nodes = [
        helper.make_node("Gemm", ["mean_parts", "mean_shares", "line_parts"], ["statistic_parts"]),  # once, as above
        *_nodes(NUMBERS, NUMBERS),
    ]
    return nodes, constants | _shares(components, rows, full_scale)


def _nodes(linear: str, squared: str) -> list[NodeProto]:
    node = helper.make_node
    return [
        node("Gemm", [linear, "statistic_parts", "statistic_offsets"], ["lines"]),  # [N, 3], as all that follow
        node("Mul", [squared, squared], ["squares"]),
        node("Gemm", ["squares", "square_parts", "lines"], ["lines_and_squares"]),
        node("Gemm", ["energies", "energy_parts", "lines_and_squares"], ["numerators"]),
        node("Gemm", ["energies", "energy_scales", "scales"], ["denominators"]),
        node("Div", ["numerators", "denominators"], ["shares"]),
        node("ReduceMax", ["shares"], ["strangeness"], axes=[1], keepdims=0),
        node("Cast", ["strangeness"], ["ood_score"], to=TensorProto.FLOAT),
    ]


def _square_parts(components: PrincipalComponents, full_scale: float) -> NDArray[np.float64]:
    """s, `[K, 3]`."""
    parts = np.full((components.axes.shape[1], 3), -1.0)
    parts[:, 2] = 1 / (components.variances.numpy() * float(components.scales[2]) * full_scale**2)
    return parts


def _offsets(mean_energy: float, full_scale: float) -> NDArray[np.float64]:
    offsets: NDArray[np.float64] = mean_energy * _ENERGY[0] + [0.0, FAINT * full_scale**2, 0.0]
    return offsets


def _shares(components: PrincipalComponents, rows: int, full_scale: float) -> dict[str, NDArray[Any]]:
    residual_scale, relative_scale, _ = components.scales.tolist()
    return {
        "energy_parts": np.repeat(_ENERGY, rows, axis=0),
        "energy_scales": np.repeat([[0.0, relative_scale, 0.0]], rows, axis=0),
        "scales": np.array([residual_scale * full_scale**2, relative_scale * FAINT * full_scale**2, 1.0]),
    }
