"""A picture's linear maps as one product of whole numbers: pixels times columns of int8, without any error.

A pixel is a byte, so a float32 or float64 is too wide for it. The principal axes are rounded to whole numbers from -64
to 64 of a unit each (`training.fitting.principal_axes`) and are one column each. A class's weights and the mean are
written with DIGITS digits of base 128, from -64 to 63, of a unit that is a power of two; each digit is a column:

    w = unit (d_0 + 128 d_1 + 128^2 d_2 + ...).

That is 33 binary digits below the largest weight of the class, where float32 has 24. The processor adds bytes times
bytes as int32, which is exact, so the order of a sum does not count. Older processors add two such products in 16 bits
first: 2 * 255 * 64 < 2^15, so none overflows. In int32, D * 255 * 64 < 2^31 for up to 131,000 pixels.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from training.certification.principal_components import PrincipalComponents
from training.fitting.principal_axes import AXIS_STEPS, PrincipalAxes
from training.publishing.model import Model

BASE = 128
DIGITS = 5
NUMBERS = "numbers"  # the products, float64 [N, M]
_MAX_PIXELS = 2**31 // (255 * AXIS_STEPS)

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WholeNumbers:
    """M columns: those of K axes, then of the weights of C classes, then of the mean."""

    columns: NDArray[np.int8]  # [D, M]
    axis_units: _Array  # [K]: an axis is its unit times its column
    weight_parts: _Array  # [M, C]: columns @ weight_parts are the weights
    mean_parts: _Array  # [M, 1]: columns @ mean_parts is the mean, in the unit of the features

    @classmethod
    def of(cls, model: Model, axes: PrincipalAxes | PrincipalComponents) -> "WholeNumbers | None":
        """The columns of a model of pictures.

        None for other inputs, for axes that are not rounded, and where the product would have more columns than a
        picture has pixels.
        """
        pixels, kept = axes.axes.shape
        classes = len(model.regression.biases)
        count = kept + DIGITS * (classes + 1)
        if model.encoder.full_scale is None or not axes.rounded or not count < pixels <= _MAX_PIXELS:
            return None
        units = axes.axes.abs().amax(dim=0).numpy() / AXIS_STEPS
        numbers = np.concatenate([model.regression.weights.double().numpy(), axes.mean.numpy()[:, None]], axis=1)
        columns, parts = digits(numbers)
        parts = np.concatenate([np.zeros((kept, classes + 1)), parts])
        whole_axes = (axes.axes.numpy() / units).round().astype(np.int8)
        return cls(np.concatenate([whole_axes, columns], axis=1), units, parts[:, :classes], parts[:, classes:])

    def graph_part(self, images: str, shape: tuple[int, ...]) -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
        """`images`, uint8 `[N, *shape]` -> `pixels`, uint8 `[N, D]`, NUMBERS, and `energies`, float64 `[N, R]`.

        The sum of the R energies is |x|^2; see `energy_rows`.
        """
        node = helper.make_node
        nodes = [
            node("Flatten", [images], ["pixels"], axis=1),
            node("MatMulInteger", ["pixels", "columns"], ["whole_numbers"]),
            node("Cast", ["whole_numbers"], [NUMBERS], to=TensorProto.DOUBLE),
        ]
        if energy_rows(shape) == 1:
            nodes += [
                node("Cast", ["pixels"], ["levels"], to=TensorProto.DOUBLE),
                node("ReduceSumSquare", ["levels"], ["energies"], axes=[1], keepdims=1),
            ]
        else:
            within = list(range(2, len(shape) + 1))
            nodes += [
                node("Cast", [images], ["narrow_levels"], to=TensorProto.FLOAT),
                node("ReduceSumSquare", ["narrow_levels"], ["narrow_energies"], axes=within, keepdims=0),
                node("Cast", ["narrow_energies"], ["energies"], to=TensorProto.DOUBLE),
            ]
        return nodes, {"columns": self.columns}


def energy_rows(shape: tuple[int, ...]) -> int:
    """How many parts of a picture of this shape are squared and added in float32, where that is exact; else 1.

    They are its rows. That takes half as long as to add all squares in float64.

    >>> energy_rows((28, 28)), energy_rows((100, 100, 3))
    (28, 1)
    """
    return shape[0] if math.prod(shape[1:]) * 255**2 <= 2**24 else 1


def digits(numbers: _Array) -> tuple[NDArray[np.int8], _Array]:
    """Columns `[D, P]` as digits, int8 `[D, DIGITS P]`, the lowest first, and their values `[DIGITS P, P]`.

    >>> columns, values = digits(np.array([[0.75], [-0.5]]))
    >>> (columns @ values).tolist(), columns[:, -1].tolist()
    ([[0.75], [-0.5]], [24, -16])
    """
    largest = np.abs(numbers).max(axis=0)
    # A largest number of less than 2^e becomes less than 2^(7 DIGITS - 2), which the digits hold: it is less than
    # 63 (1 + 128 + ...).
    exponents = np.frexp(np.where(largest > 0, largest, 1))[1] - (7 * DIGITS - 2)
    rest = np.ldexp(numbers, -exponents).round().astype(np.int64)
    columns, values = [], []
    for place in range(DIGITS):
        digit = (rest + BASE // 2) % BASE - BASE // 2
        rest = (rest - digit) // BASE
        columns.append(digit.astype(np.int8))
        values.append(np.diag(np.ldexp(float(BASE**place), exponents)))
    return np.concatenate(columns, axis=1), np.concatenate(values)
