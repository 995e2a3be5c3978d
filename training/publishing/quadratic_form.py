"""The quadratic part of the logits as the file computes it: rounded, in torch and as nodes of the graph.

With z the K coordinates of an input, t = 8 z, and A_c the symmetric matrix B_c * s of a class, the part is

    t.A_c t / 8^2 - trace A_c.

Nearly all of its time goes into the C K^2 products of A t. As products of bytes they are fastest, and have no error:
A_c is rounded to whole numbers from -64 to 64 of a unit, t is the nearest whole number q from -128 to 127 and a rest e,
and only A q is computed so. As A is symmetric,

    t.A t = (2 t - q).A q + e.A e,

and the last term, about 1e-3 of a logit, is left out. Farther out than z = 16 the form goes on as a line does.

With more classes than coordinates the results of A q would be too many to hold for a batch. Then the K (K + 1) / 2
products of two coordinates are gathered and multiplied, in float64.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor

from training.certification.principal_components import PrincipalComponents
from training.fitting.lift import QuadraticLift
from training.fitting.principal_axes import PrincipalAxes
from training.fitting.regression import SoftmaxRegression

COORDINATES, LINEAR_LOGITS, LOGITS = "coordinates", "linear_logits", "logits"  # tensors of the graph
STEPS = 8.0  # of a coordinate whose variance is 1
_LARGEST = 64  # of the numbers of A; training.publishing.whole_numbers has the reason
_ZERO = 128  # the byte that stands for q = 0


@dataclass(frozen=True, slots=True)
class QuadraticForm:
    """The matrices A of C classes over the K coordinates of a lift, as whole numbers of a unit."""

    lift: QuadraticLift
    numbers: NDArray[np.int8]  # [C, K, K], symmetric
    units: NDArray[np.float64]  # [C]

    @classmethod
    def of(cls, regression: SoftmaxRegression) -> "QuadraticForm | None":
        """Of a regression's products, rounded; None if it has no lift.

        >>> lift = QuadraticLift(torch.zeros(1), torch.eye(1), torch.full((1, 1), 0.5))
        >>> products = torch.tensor([[[4.0]], [[-1.0]]])
        >>> form = QuadraticForm.of(SoftmaxRegression(torch.zeros(1, 2), torch.zeros(2), products, lift))
        >>> form.numbers.ravel() * form.units
        array([ 2. , -0.5])
        """
        if regression.products is None or regression.lift is None:
            return None
        matrices = regression.products.double() * regression.lift.scales
        matrices = (matrices + matrices.transpose(1, 2)) / 2  # equal up to rounding
        largest = matrices.abs().amax(dim=(1, 2))
        units = torch.where(largest > 0, largest, 1) / _LARGEST
        numbers = (matrices / units[:, None, None]).round()
        return cls(regression.lift, numbers.numpy().astype(np.int8), units.numpy())

    @property
    def gathered(self) -> bool:
        """Whether products of two coordinates are gathered."""
        return len(self.numbers) > self.lift.components

    @property
    def means(self) -> NDArray[np.float64]:
        """The mean of each class's form over the training inputs, trace A_c, `[C]`."""
        means: NDArray[np.float64] = self.units * np.trace(self.numbers, axis1=1, axis2=2, dtype=np.float64)
        return means

    def logits(self, features: Tensor) -> Tensor:
        """The quadratic part of the logits, float64 `[N, D]` -> `[N, C]`.

        >>> lift = QuadraticLift(torch.zeros(1), torch.eye(1), torch.ones(1, 1))
        >>> form = QuadraticForm(lift, np.array([[[2]], [[-1]]], dtype=np.int8), np.array([0.5, 0.5]))
        >>> form.logits(torch.tensor([[3.0]], dtype=torch.float64))  # 3^2 - 1 = 8, times 1 and -1/2
        tensor([[ 8., -4.]], dtype=torch.float64)
        """
        steps = STEPS * self.lift.coordinates(features)  # t, [N, K]
        whole = steps if self.gathered else self._whole(steps)
        classes, count = self.numbers.shape[:2]
        matrices = torch.from_numpy(self.numbers.astype(np.float64))
        along = (whole @ matrices.flatten(0, 1).T).view(-1, classes, count)
        form = (along * (2 * steps - whole)[:, None, :]).sum(dim=2)
        return form * torch.from_numpy(self.units / STEPS**2) - torch.from_numpy(self.means)

    @staticmethod
    def _whole(steps: Tensor) -> Tensor:
        """q, by the same steps as the graph: the byte of (2 t + 128) / 2 + 64, in float32."""
        doubled = (2 * steps + _ZERO).float()
        return ((doubled / 2).round() + _ZERO // 2).clamp(0, 255).double() - _ZERO

    def scaling(self, axes: PrincipalAxes | PrincipalComponents) -> tuple[NDArray[np.float64], float]:
        """COORDINATES by the products of x - mean with the `axes`: factors `[K]`, and what is added.

        That is t, or 2 t + 128 where bytes are multiplied.
        """
        deviations = axes.axes[:, : self.lift.components].norm(dim=0) / self.lift.projection.norm(dim=0)
        steps: NDArray[np.float64] = STEPS / deviations.numpy()
        return (steps, 0.0) if self.gathered else (2 * steps, float(_ZERO))

    def graph_part(self, temperature: float) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
        """COORDINATES, float64 `[N, K]`, and LINEAR_LOGITS -> LOGITS, float64 `[N, C]`.

        Adds t.A t / 8^2 / temperature; the means are left to the biases. `product_unit` is that of COORDINATES.
        """
        node = helper.make_node
        units = self.units / STEPS**2 / temperature
        if self.gathered:
            nodes, constants = self._gathering()
            nodes += [
                node("Mul", ["whole_form", "product_unit"], ["quadratic_logits"]),
                node("Add", [LINEAR_LOGITS, "quadratic_logits"], [LOGITS]),
            ]
            return nodes, constants | {"product_unit": units}
        nodes, constants = self._multiplying()
        nodes += [
            node("Mul", ["product_unit", "four"], ["form_unit"]),  # once, when a runtime loads the file
            node("Gemm", ["whole_form", "form_unit", LINEAR_LOGITS], [LOGITS]),
        ]
        return nodes, constants | {"product_unit": np.diag(units / 4), "four": np.array(4.0)}

    def _multiplying(self) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
        """`coordinates`, 2 t + 128, -> `whole_form`, (2 t - q).A q."""
        node = helper.make_node
        classes, count = self.numbers.shape[:2]
        nodes = [
            node("Cast", [COORDINATES], ["narrow_coordinates"], to=TensorProto.FLOAT),
            node("QuantizeLinear", ["narrow_coordinates", "two", "half_zero"], ["whole_coordinates"]),  # q + 128
            node("MatMulInteger", ["whole_coordinates", "products", "zero"], ["whole_slopes"]),
            node("Cast", ["whole_slopes"], ["flat_slopes"], to=TensorProto.DOUBLE),
            node("Reshape", ["flat_slopes", "slopes_shape"], ["slopes"]),  # [N, C, K]
            node("Cast", ["whole_coordinates"], ["wide_coordinates"], to=TensorProto.DOUBLE),
            node("Sub", [COORDINATES, "wide_coordinates"], ["reflected_coordinates"]),  # 2 t - q
            node("Unsqueeze", ["reflected_coordinates", "sum_axis"], ["factors"]),  # [N, K, 1]
            node("MatMul", ["slopes", "factors"], ["sums"]),  # [N, C, 1]
            node("Squeeze", ["sums", "sum_axis"], ["whole_form"]),
        ]
        return nodes, {
            "two": np.array(2.0, np.float32),
            "half_zero": np.array(_ZERO // 2, np.uint8),
            "zero": np.array(_ZERO, np.uint8),
            "products": np.ascontiguousarray(self.numbers.transpose(1, 0, 2).reshape(count, classes * count)),
            "slopes_shape": np.array([0, classes, count]),  # 0: as many rows as before
            "sum_axis": np.array([2]),
        }

    def _gathering(self) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
        """`coordinates`, t, -> `whole_form`, t.A t."""
        node = helper.make_node
        first, second = np.triu_indices(self.numbers.shape[1])
        nodes = [
            node("Gather", ["coordinates", "first_of_pair"], ["first_factors"], axis=1),
            node("Gather", ["coordinates", "second_of_pair"], ["second_factors"], axis=1),
            node("Mul", ["first_factors", "second_factors"], ["pairs"]),
            node("Cast", ["products"], ["wide_products"], to=TensorProto.DOUBLE),
            node("MatMul", ["pairs", "wide_products"], ["whole_form"]),
        ]
        twice = np.where(first == second, 1, 2).astype(np.int16)  # a pair stands for both orders
        return nodes, {
            "products": np.ascontiguousarray((self.numbers[:, first, second] * twice).T),  # [K (K + 1) / 2, C]
            "first_of_pair": first.astype(np.int64),
            "second_of_pair": second.astype(np.int64),
        }
