"""The exact cross-entropy of softmax regression without its logit matrix, for vocabularies too large for it.

Shapes: N examples, D features, V classes. Features are float32 or float64 `[N, D]`, weights `[D, V]`, biases `[V]` of
the same dtype, labels int64 `[N]`, all on one device.

`F.cross_entropy(features @ weights + biases, labels)` holds three to four matrices `[N, V]`: logits, log-softmax, and
a gradient of each. Here the classes are processed in chunks, and only one chunk's logits exist at a time. The forward
pass updates each row's log-sum-exp from chunk to chunk (Milakov and Gimelshein 2018, arXiv 1805.02867) and keeps N
numbers. The backward pass computes the chunk's logits again, a fourth matrix product beside three, and turns them in
place into probabilities, p = exp(z - log-sum-exp). That costs no time where the product is cheaper than
writing and reading the matrices that it saves (Wijmans et al. 2024, arXiv 2411.09009).

Memory beyond the arguments and the returned gradients: `CHUNK_BYTES` for one chunk, or more where N is so large that
`MIN_COLUMNS` take more; `[N, D]` once; and some vectors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_BYTES = {"cpu": 16 * 2**20, "cuda": 256 * 2**20}  # a CPU's last-level cache; on a GPU enough to fill it
MIN_COLUMNS = 256  # fewer make thin matrix products
_MIN_CHUNKS = 16  # so that small problems save memory too


def linear_cross_entropy(
    features: Tensor, weights: Tensor, biases: Tensor, labels: Tensor, columns: int | None = None
) -> Tensor:
    """Mean over the batch of -log p(true label), a scalar, with gradients in features, weights and biases.

    `columns` is the width of a chunk, by default that of `chunk_columns`. The weights may have any strides, such as
    those of `linear.weight.T`. Raises ValueError on shapes that do not match or a label that is no class.
    Differentiable once.

    >>> weights = torch.zeros(2, 4)
    >>> linear_cross_entropy(torch.ones(1, 2), weights, torch.zeros(4), torch.tensor([3]))  # log 4
    tensor(1.3863)
    """
    (examples, width), classes = features.shape, weights.shape[1]
    if weights.shape[0] != width or biases.shape != (classes,) or labels.shape != (examples,):
        shapes = ", ".join(str(list(tensor.shape)) for tensor in (features, weights, biases, labels))
        raise ValueError(f"features, weights, biases, labels must be [N, D], [D, V], [V], [N], not {shapes}")
    if columns is None:
        columns = chunk_columns(examples, classes, features.dtype, features.device)
    elif columns < 1:
        raise ValueError(f"columns must be at least 1, not {columns}")
    loss: Tensor = _LinearCrossEntropy.apply(features, weights, biases, labels, columns)  # type: ignore[no-untyped-call]
    return loss


def chunk_columns(examples: int, classes: int, dtype: torch.dtype, device: torch.device) -> int:
    """How many classes a chunk holds: a sixteenth of them, or fewer where that is over `CHUNK_BYTES`.

    >>> chunk_columns(2048, 200_000, torch.float32, torch.device("cpu"))  # 2048 * 2048 * 4 bytes
    2048
    >>> chunk_columns(64, 1000, torch.float32, torch.device("cpu"))
    256
    """
    fitting = CHUNK_BYTES.get(device.type, CHUNK_BYTES["cpu"]) // max(1, examples * dtype.itemsize)
    return max(1, min(classes, max(MIN_COLUMNS, min(fitting, -(-classes // _MIN_CHUNKS)))))


@dataclass(frozen=True, slots=True)
class _Chunk:
    columns: slice
    rows: Tensor  # [n], the examples whose label is in the chunk
    labels: Tensor  # [n], theirs, counted from the chunk's first column
    logits: Tensor  # [N, columns], a part of the one buffer, not initialised


def _chunks(features: Tensor, labels: Tensor, classes: int, columns: int) -> Iterator[_Chunk]:
    examples = len(features)
    ordered, order = labels.sort()
    starts = [*range(0, classes, columns), classes]
    # One copy to the host for all chunks: on a GPU each copy waits for the work before it.
    firsts = torch.searchsorted(ordered, torch.tensor(starts, device=labels.device)).tolist()
    if firsts[0] > 0 or firsts[-1] < examples:
        wrong = int(ordered[0 if firsts[0] > 0 else -1])
        raise ValueError(f"labels must be from 0 to {classes - 1}, not {wrong}")
    buffer = features.new_empty(examples * min(columns, classes))
    for i, (start, stop) in enumerate(pairwise(starts)):
        rows = order[firsts[i] : firsts[i + 1]]
        logits = buffer[: examples * (stop - start)].view(examples, stop - start)
        yield _Chunk(slice(start, stop), rows, labels[rows] - start, logits)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weights: Tensor, biases: Tensor, labels: Tensor, columns: int) -> Tensor:
        examples = len(features)
        # Starts at the lowest finite number, not at -inf: -inf - -inf is NaN, and a row may begin with classes that a
        # bias of -inf rules out.
        maximum = features.new_full((examples, 1), torch.finfo(features.dtype).min)
        total = torch.zeros_like(maximum)  # sum over the chunks so far of exp(z - maximum)
        true = torch.empty_like(maximum).squeeze(1)  # the true label's logit
        for chunk in _chunks(features, labels, weights.shape[1], columns):
            logits = torch.addmm(biases[chunk.columns], features, weights[:, chunk.columns], out=chunk.logits)
            true[chunk.rows] = logits[chunk.rows, chunk.labels]
            previous, maximum = maximum, torch.maximum(maximum, logits.amax(dim=1, keepdim=True))
            exponentials = logits.sub_(maximum).exp_()
            total.mul_(torch.exp(previous - maximum)).add_(exponentials.sum(dim=1, keepdim=True))
        log_sum_exp = maximum + total.log()
        ctx.save_for_backward(features, weights, biases, labels, log_sum_exp)
        ctx.columns = columns
        return (log_sum_exp.squeeze(1) - true).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> Any:
        features, weights, biases, labels, log_sum_exp = ctx.saved_tensors
        wants_features, wants_weights, wants_biases = ctx.needs_input_grad[:3]
        scale = outer / max(1, len(features))
        # The factor is applied to the small matrices, which saves a pass over each chunk.
        scaled = features * scale if wants_weights else features
        in_features = torch.zeros_like(features) if wants_features else None
        in_weights = torch.empty_like(weights) if wants_weights else None  # with the same strides
        in_biases = torch.empty_like(biases) if wants_biases else None
        for chunk in _chunks(features, labels, weights.shape[1], ctx.columns):
            error = torch.sub(biases[chunk.columns], log_sum_exp, out=chunk.logits)
            error.addmm_(features, weights[:, chunk.columns]).exp_()
            error[chunk.rows, chunk.labels] -= 1  # probabilities - one-hot labels, as in softmax.py
            if in_weights is not None:
                torch.mm(scaled.T, error, out=in_weights[:, chunk.columns])
            if in_biases is not None:
                torch.sum(error, dim=0, out=in_biases[chunk.columns])
            if in_features is not None:
                in_features.addmm_(error, weights[:, chunk.columns].T)
        return (
            None if in_features is None else in_features.mul_(scale),
            in_weights,
            None if in_biases is None else in_biases.mul_(scale),
            None,
            None,
        )
