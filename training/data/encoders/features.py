"""Encodes rows of a table: numbers standardised, categories one-hot, missing values replaced."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor

from service.contract.inputs import FeaturesInput
from training.data.encoders.encoder import GraphPart

Scaling = Literal["each", "common"]  # each number by its own deviation; all by one, which keeps their proportions

_ROWS = 512  # processed together: few enough to stay in the processor's cache
_MAX_MEAN = 1e30  # in absolute value; the difference of a float32 and a larger mean might overflow a float32


@dataclass(frozen=True, slots=True)
class FeatureEncoder:
    """Standardises the P columns of numbers and one-hot encodes the others: float32 `[N, width]` -> `[N, D]`.

    The numbers come first, in the order of their columns, then the categories of each other column. An unknown code,
    such as -1, has no 1 in its one-hot vector, and so no weight for any class.

    Mean and deviation are rounded to float32. So x - mean in float32 is the difference that the graph computes in
    float64, rounded once: nothing cancels, and training may compute in float32.
    """

    kind: FeaturesInput
    mean: NDArray[np.float64]  # [P], of the training rows without missing values; rounded to float32
    deviation: NDArray[np.float64]  # [P], what numbers are divided by, rounded to float32; 1 if nothing varies

    @classmethod
    def fit(
        cls, kind: FeaturesInput, blocks: Iterable[NDArray[np.float32]], scaling: Scaling = "each"
    ) -> "FeatureEncoder":
        """Mean and deviation of the training rows, a block `[B, width]` at a time.

        The `common` deviation is the root of the mean of the variances.

        Uses the update of Chan, Golub and LeVeque (1983, The American Statistician 37(3)), which is numerically stable:
        no sum is much larger than the result.
        """
        numeric = _numeric(kind)
        count = np.zeros(len(numeric))
        mean = np.zeros(len(numeric))
        squares = np.zeros(len(numeric))  # sums of squared distances from the mean
        for block in blocks:
            for start in range(0, len(block), _ROWS):
                values = block[start : start + _ROWS, numeric].astype(np.float64)
                absent = np.isnan(values)
                added = len(values) - absent.sum(axis=0)
                total = count + added
                values[absent] = 0
                block_mean = values.sum(axis=0) / np.maximum(added, 1)
                values -= block_mean
                values[absent] = 0
                shift = block_mean - mean
                squares += np.square(values, out=values).sum(axis=0)
                squares += np.square(shift) * count * added / np.maximum(total, 1)
                mean += np.where(added > 0, shift * added / np.maximum(total, 1), 0)
                count = total
        variances = squares / np.maximum(count, 1)
        if scaling == "common" and len(variances):
            variances = np.full_like(variances, variances.mean())
        return cls(kind, _rounded(mean), _divisor(np.sqrt(variances)))

    @property
    def width(self) -> int:
        """D, the number of features."""
        return len(self.mean) + len(self._one_hot()[0])

    @property
    def full_scale(self) -> None:
        """None: numbers need more than a division."""

    def features(self, inputs: NDArray[Any], dtype: torch.dtype = torch.float32) -> Tensor:
        """The features of a batch, `[N, D]`, computed in `dtype`.

        >>> kind = FeaturesInput(width=2, columns=[{"name": "age"}, {"name": "sex", "categories": ["f", "m"]}])
        >>> encoder = FeatureEncoder(kind, np.array([40.0]), np.array([10.0]))
        >>> encoder.features(np.array([[60, 1], [40, -1]], dtype=np.float32))
        tensor([[2., 0., 1.],
                [0., 0., 0.]])
        """
        columns, codes = self._one_hot()
        values = torch.from_numpy(inputs)
        if not len(columns):
            return self._standardised(values, dtype)
        numbers = self._standardised(values[:, torch.from_numpy(_numeric(self.kind))], dtype)
        one_hot = values[:, torch.from_numpy(columns)] == torch.from_numpy(codes)
        return torch.cat([numbers, one_hot], dim=1)

    def graph_part(self, output: str) -> GraphPart:
        """The steps of `features`. Without any categories the columns need no rearranging."""
        node = helper.make_node
        columns, codes = self._one_hot()
        plain = not len(columns)
        numbers = "wide" if plain else "numbers"
        nodes = [node("Cast", [self.kind.name], ["wide"], to=TensorProto.DOUBLE)]
        constants: dict[str, NDArray[Any]] = {}
        if not plain:
            nodes += [
                node("Gather", ["wide", "numeric_columns"], ["numbers"], axis=1),
                node("Gather", ["wide", "coded_columns"], ["coded"], axis=1),
                node("Equal", ["coded", "codes"], ["is_code"]),
                node("Cast", ["is_code"], ["one_hot"], to=TensorProto.DOUBLE),
            ]
            constants = {"numeric_columns": _numeric(self.kind), "coded_columns": columns, "codes": codes}
        if self.kind.missing == "mean":
            nodes += [
                node("IsNaN", [numbers], ["is_missing"]),
                node("Where", ["is_missing", "feature_mean", numbers], ["present"]),
            ]
            numbers = "present"
        nodes += [
            node("Sub", [numbers, "feature_mean"], ["distance"]),
            node("Div", ["distance", "feature_deviation"], [output if plain else "standardised"]),
        ]
        constants |= {"feature_mean": self.mean, "feature_deviation": self.deviation}
        if not plain:
            nodes.append(node("Concat", ["standardised", "one_hot"], [output], axis=1))
        return GraphPart(nodes, constants, 1.0)

    def _standardised(self, numbers: Tensor, dtype: torch.dtype) -> Tensor:
        """Standardise `[N, P]`, some rows at a time."""
        if dtype != torch.float64 and np.abs(self.mean).max(initial=0) > _MAX_MEAN:
            return self._standardised(numbers, torch.float64).to(dtype)
        mean, deviation = (torch.from_numpy(column).to(dtype) for column in (self.mean, self.deviation))
        standardised = torch.empty(numbers.shape, dtype=dtype)
        for start in range(0, len(numbers), _ROWS):
            some = numbers[start : start + _ROWS]
            if self.kind.missing == "mean":
                some = torch.where(some.isnan(), mean, some)
            torch.sub(some, mean, out=standardised[start : start + _ROWS]).div_(deviation)
        return standardised

    def _one_hot(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The column and the code of each one-hot feature."""
        pairs = [
            (index, code)
            for index, column in enumerate(self.kind.columns or [])
            for code in range(len(column.categories or []))
        ]
        return np.array([p[0] for p in pairs], dtype=np.int64), np.array([p[1] for p in pairs], dtype=np.float64)


def _numeric(kind: FeaturesInput) -> NDArray[np.int64]:
    """The indices of the columns of numbers."""
    if kind.columns is None:
        return np.arange(kind.width)
    return np.array([i for i, column in enumerate(kind.columns) if column.categories is None], dtype=np.int64)


def _rounded(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to float32."""
    return column.astype(np.float32).astype(np.float64)


def _divisor(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """A deviation to divide by, rounded to float32: 1 for 0, and within the range of float32.

    >>> _divisor(np.array([0.0, 2.0, 1e-50]))
    array([1.00000000e+00, 2.00000000e+00, 1.17549435e-38])
    """
    limits = np.finfo(np.float32)
    return np.where(deviation > 0, _rounded(np.clip(deviation, limits.tiny, limits.max)), 1.0)
