"""One pass over all inputs, a block at a time: their fingerprint, what is wrong in them, and which are copies."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput
from training.data.dataset import Labelled
from training.data.findings import Findings
from training.data.raw import Raw

_BLOCK_BYTES = 2**23
_SHOWN = 5  # columns that a message names


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass has found."""

    fingerprint: str  # SHA-256 of the inputs' bytes, the labels and the names
    hashes: NDArray[np.uint64]  # [N], of each input's bytes


def scan(raw: Raw, classes: tuple[str, ...], findings: Findings) -> Scan:
    """Look at every input once. Adds to `findings` missing values, infinities, constant columns and pixels."""
    digest = hashlib.sha256()
    hashes = np.empty(len(raw.inputs), dtype=np.uint64)
    row_bytes = raw.inputs.dtype.itemsize * int(np.prod(raw.inputs.shape[1:]))
    hash_rows = _hasher(row_bytes)
    seen = _Numbers(raw, raw.input) if isinstance(raw.input, FeaturesInput) else _Pixels()
    size = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, len(raw.inputs), size):
        block = np.ascontiguousarray(raw.inputs[start : start + size])
        digest.update(block.data)
        hashes[start : start + size] = hash_rows(block)
        seen.see(block, start)
    seen.report(findings)
    digest.update(Labelled("", raw.inputs[:0], raw.labels.codes).fingerprint().encode())
    digest.update("\0".join(classes).encode())
    return Scan(digest.hexdigest(), hashes)


def _hasher(row_bytes: int) -> Callable[[NDArray[Any]], NDArray[np.uint64]]:
    """A hash of 64 bits for rows of that many bytes: multilinear, with fixed random factors, modulo 2^64.

    Two different rows share one with a probability of 2^-32 at the worst, where they differ in the highest bits of
    their words alone. The later one is then taken for a copy: left out, or kept in the other's split. The hash knows
    no labels, so that biases no estimate. It keeps up with reading the file, which a call of hashlib for every row
    does not.
    """
    words = -(-row_bytes // 4)
    factors = np.random.default_rng(20_110).integers(0, 2**63, words, dtype=np.uint64) * np.uint64(2) + np.uint64(1)

    def hash_rows(block: NDArray[Any]) -> NDArray[np.uint64]:
        raw = block.reshape(len(block), -1).view(np.uint8)  # [B, row_bytes]
        if row_bytes % 4:
            raw = np.pad(raw, ((0, 0), (0, words * 4 - row_bytes)))
        hashes: NDArray[np.uint64] = raw.view(np.uint32).astype(np.uint64) @ factors
        return hashes

    return hash_rows


@dataclass(slots=True)
class _Pixels:
    """What is seen in pictures, block by block."""

    least: NDArray[Any] | None = None  # [H, W] or [H, W, 3]
    most: NDArray[Any] | None = None

    def see(self, block: NDArray[Any], _: int) -> None:
        least, most = block.min(axis=0), block.max(axis=0)
        self.least = least if self.least is None else np.minimum(self.least, least)
        self.most = most if self.most is None else np.maximum(self.most, most)

    def report(self, findings: Findings) -> None:
        assert self.least is not None
        assert self.most is not None
        same = self.least == self.most
        if same.ndim == 3:
            same = same.all(axis=-1)
        if same.all():
            findings.errors.append("every picture is the same, in all its pixels: nothing can be learnt from it")
        elif same.any():
            row, column = np.argwhere(same)[0].tolist()
            findings.warnings.append(
                f"{same.sum()} of {same.size} pixels are the same in every picture, the first in row {row}, column "
                f"{column}: nothing can be learnt from them"
            )


@dataclass(slots=True)
class _Numbers:
    """What is seen in the columns of numbers, block by block."""

    raw: Raw
    kind: FeaturesInput
    missing: dict[int, tuple[int, int]] = field(default_factory=dict)  # column to (how many, first row)
    infinite: dict[int, tuple[int, int]] = field(default_factory=dict)
    least: NDArray[np.float32] | None = None
    most: NDArray[np.float32] | None = None

    def see(self, block: NDArray[Any], start: int) -> None:
        with np.errstate(over="ignore"):  # a float64 that is too large is infinite for the graph
            values = block.astype(np.float32, copy=False)
        least, most = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
        self.least = least if self.least is None else np.fmin(self.least, least)
        self.most = most if self.most is None else np.fmax(self.most, most)
        if np.isfinite(values).all():
            return
        for found, mask in ((self.missing, np.isnan(values)), (self.infinite, np.isinf(values))):
            for column in np.flatnonzero(mask.any(axis=0)).tolist():
                count, first = found.get(column, (0, start + int(mask[:, column].argmax())))
                found[column] = (count + int(mask[:, column].sum()), first)

    def report(self, findings: Findings) -> None:
        names = self._names()
        for column, (count, first) in sorted(self.infinite.items()):
            row = self.raw.row(first)
            findings.errors.append(
                f"column {names[column]} has {count} values that are infinite in float32, the first in row {row}: "
                "every number must be finite"
            )
        if self.kind.missing == "refuse":
            self._report_missing(findings, names)
        assert self.least is not None
        assert self.most is not None
        numeric = np.array(
            [self.kind.columns is None or self.kind.columns[i].categories is None for i in range(len(names))]
        )
        constant = np.flatnonzero((self.least == self.most) & numeric).tolist()
        if len(constant) == len(names):
            findings.errors.append(f"every row is the same, in all {len(names)} columns: nothing can be learnt from it")
        elif constant:
            shown = ", ".join(names[i] for i in constant[:_SHOWN]) + (", ..." if len(constant) > _SHOWN else "")
            findings.warnings.append(
                f"{len(constant)} constant column{'s' * (len(constant) > 1)} ({shown}): nothing can be learnt from it"
            )

    def _report_missing(self, findings: Findings, names: list[str]) -> None:
        for column, (count, first) in sorted(self.missing.items()):
            leave_out = f"leave the column out by --ignore-columns {names[column].strip(chr(39))}, or "
            findings.errors.append(
                f"column {names[column]} has {count} missing values (NaN), the first in row {self.raw.row(first)}: "
                f"fill them in, {leave_out if self.kind.columns else ''}say --missing mean to put the mean of the "
                "training rows in their place"
            )

    def _names(self) -> list[str]:
        """As a message has them: quoted, or numbered from 0 where there are no names."""
        if self.kind.columns is None:
            return [str(i) for i in range(self.kind.width)]
        return [repr(column.name) for column in self.kind.columns]
