"""The quadratic part of the logits as the file computes it: rounded, in torch and as nodes of the graph.

With z the K coordinates of an input, t = 256 z, and A_c the symmetric matrix B_c * s of a class, the part is

    t.A_c t / 256^2 - trace A_c.

Nearly all of its time goes into the C K^2 products of A t. In float32 they take a third of the time of float64, but a
float32 sum depends on its order, and so on the batch and the processor. Here it has no error: A is rounded to whole
multiples of a unit, t is the nearest whole number q and a rest e, and only A q is computed in float32. As A is
symmetric,

    t.A t = (2 t - q).A q + e.A e,

and the last term, about 1e-6 of a logit, is left out. Every partial sum of A q is a whole number of at most |A_cj| |q|,
by Cauchy and Schwarz, and a float32 holds those up to 2^24. The unit is the smallest that promises this wherever |z| is
at most 3 sqrt(K), three times its root mean square over the training inputs; farther out a sum may be rounded, by 1e-7.

With more classes than coordinates the results of A q would be too many to hold for a batch. Then the K (K + 1) / 2
products of two coordinates are gathered and multiplied, in float64.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor

from training.fitting.lift import QuadraticLift
from training.fitting.regression import SoftmaxRegression

OUTPUT = "quadratic_logits"
STEPS = 256.0  # of a coordinate whose variance is 1
_REACH = 3.0  # the largest root mean square of an input's coordinates with exact sums
_LARGEST = 2**24  # up to here a float32 holds every whole number


@dataclass(frozen=True, slots=True)
class QuadraticForm:
    """The matrices A of C classes over the K coordinates of a lift, as whole numbers of a unit."""

    lift: QuadraticLift
    numbers: NDArray[np.int16]  # [C, K, K], symmetric
    unit: float

    @classmethod
    def of(cls, regression: SoftmaxRegression) -> "QuadraticForm | None":
        """Of a regression's products, rounded; None if it has no lift.

        >>> lift = QuadraticLift(torch.zeros(1), torch.eye(1), torch.full((1, 1), 0.5))
        >>> products = torch.tensor([[[4.0]], [[-1.0]]])
        >>> form = QuadraticForm.of(SoftmaxRegression(torch.zeros(1, 2), torch.zeros(2), products, lift))
        >>> np.round(form.numbers.ravel() * form.unit, 3)
        array([ 2. , -0.5])
        """
        if regression.products is None or regression.lift is None:
            return None
        matrices = regression.products.double() * regression.lift.scales
        matrices = (matrices + matrices.transpose(1, 2)) / 2  # equal up to rounding
        half = (
            math.sqrt(regression.lift.components) / 2
        )  # of a step in each coordinate: what rounding may add to a norm
        limit = _LARGEST / (_REACH * STEPS * 2 * half + half) - half
        unit = float(matrices.norm(dim=2).max()) / limit or 1.0
        return cls(regression.lift, (matrices / unit).round().numpy().astype(np.int16), unit)

    @property
    def gathered(self) -> bool:
        """Whether products of two coordinates are gathered."""
        return len(self.numbers) > self.lift.components

    @property
    def means(self) -> NDArray[np.float64]:
        """The mean of each class's form over the training inputs, trace A_c, `[C]`."""
        means: NDArray[np.float64] = self.unit * np.trace(self.numbers, axis1=1, axis2=2, dtype=np.float64)
        return means

    def logits(self, features: Tensor) -> Tensor:
        """The quadratic part of the logits, float64 `[N, D]` -> `[N, C]`.

        >>> lift = QuadraticLift(torch.zeros(1), torch.eye(1), torch.ones(1, 1))
        >>> form = QuadraticForm(lift, np.array([[[2]], [[-1]]], dtype=np.int16), 0.5)
        >>> form.logits(torch.tensor([[3.0]], dtype=torch.float64))  # 3^2 - 1 = 8, times 1 and -1/2
        tensor([[ 8., -4.]], dtype=torch.float64)
        """
        steps = STEPS * self.lift.coordinates(features)  # t, [N, K]
        whole = steps if self.gathered else steps.round()  # q
        classes, count = self.numbers.shape[:2]
        matrices = torch.from_numpy(self.numbers.astype(np.float64))
        along = (whole @ matrices.flatten(0, 1).T).view(-1, classes, count)
        form = (along * (2 * steps - whole)[:, None, :]).sum(dim=2)
        return form * (self.unit / STEPS**2) - torch.from_numpy(self.means)

    def graph_part(
        self, along: str, spread: NDArray[np.float64], temperature: float
    ) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
        """`along`, float64 `[N, K]`, of deviations `spread` -> OUTPUT, float64 `[N, C]`: t.A t / 256^2 / temperature.

        The means are left to the biases.
        """
        node = helper.make_node
        nodes, constants = self._gathering() if self.gathered else self._multiplying()
        nodes = [
            node("Mul", [along, "coordinate_steps"], ["coordinates"]),
            *nodes,
            node("Mul", ["whole_form", "product_unit"], [OUTPUT]),
        ]
        return nodes, constants | {
            "coordinate_steps": STEPS / spread,
            "product_unit": np.array(self.unit / STEPS**2 / temperature),
        }

    def _multiplying(self) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
        """`coordinates`, t, -> `whole_form`, (2 t - q).A q."""
        node = helper.make_node
        classes, count = self.numbers.shape[:2]
        nodes = [
            node("Round", ["coordinates"], ["whole_coordinates"]),
            node("Cast", ["whole_coordinates"], ["narrow_coordinates"], to=TensorProto.FLOAT),
            node("Cast", ["products"], ["wide_products"], to=TensorProto.FLOAT),
            node("MatMul", ["narrow_coordinates", "wide_products"], ["narrow_slopes"]),
            node("Cast", ["narrow_slopes"], ["flat_slopes"], to=TensorProto.DOUBLE),
            node("Reshape", ["flat_slopes", "slopes_shape"], ["slopes"]),  # [N, C, K]
            node("Add", ["coordinates", "coordinates"], ["twice_coordinates"]),
            node("Sub", ["twice_coordinates", "whole_coordinates"], ["reflected_coordinates"]),
            node("Unsqueeze", ["reflected_coordinates", "sum_axis"], ["factors"]),  # [N, K, 1]
            node("MatMul", ["slopes", "factors"], ["sums"]),  # [N, C, 1]
            node("Squeeze", ["sums", "sum_axis"], ["whole_form"]),
        ]
        return nodes, {
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
