"""One pass over all inputs in blocks: their fingerprint, their problems, and the hashes that reveal copies."""

import hashlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput
from training.data.dataset import Labelled
from training.data.raw import EXACT, Findings, RawData

_BLOCK_BYTES = 2**23
_MAX_NAMED = 5  # columns that a message names


@dataclass(frozen=True, slots=True)
class Scan:
    """The result of one pass."""

    hashes: NDArray[np.uint64]  # [N], of each input's bytes
    digest: Any  # of hashlib: the SHA-256 of all inputs

    def fingerprint(self, raw: RawData, classes: tuple[str, ...]) -> str:
        """SHA-256 of the inputs, the labels and the class names."""
        digest = self.digest.copy()
        digest.update(Labelled("", raw.inputs[:0], raw.labels.codes).fingerprint().encode())
        digest.update("\0".join(classes).encode())
        return str(digest.hexdigest())


def scan(raw: RawData, findings: Findings) -> Scan:
    """Read every input once. Adds missing values, infinities, constant columns and constant pixels to `findings`."""
    digest = hashlib.sha256()
    hashes = np.empty(len(raw.inputs), dtype=np.uint64)
    row_bytes = raw.inputs.dtype.itemsize * int(np.prod(raw.inputs.shape[1:]))
    hash_rows = _hasher(row_bytes)
    checks = _Numbers(raw, raw.input) if isinstance(raw.input, FeaturesInput) else _Pixels()
    size = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, len(raw.inputs), size):
        block = np.ascontiguousarray(raw.inputs[start : start + size])
        digest.update(block.data)
        hashes[start : start + size] = hash_rows(block)
        checks.add(block, start)
    checks.report(findings)
    return Scan(hashes, digest)


def _hasher(row_bytes: int) -> Callable[[NDArray[Any]], NDArray[np.uint64]]:
    """A 64-bit hash for rows of that many bytes: multilinear, with fixed random factors, modulo 2^64.

    Two different rows collide with a probability of at most 2^-32, if they differ only in the highest bits of their
    words. The later one is then taken for a copy: left out, or kept in the split of the other. The hash does not depend
    on labels, so this biases no estimate. It is as fast as reading the file, which hashlib called for each row is not.
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
    """Finds constant pixels, block by block."""

    lowest: NDArray[Any] | None = None  # [H, W] or [H, W, 3]
    highest: NDArray[Any] | None = None

    def add(self, block: NDArray[Any], _: int) -> None:
        lowest, highest = block.min(axis=0), block.max(axis=0)
        self.lowest = lowest if self.lowest is None else np.minimum(self.lowest, lowest)
        self.highest = highest if self.highest is None else np.maximum(self.highest, highest)

    def report(self, findings: Findings) -> None:
        assert self.lowest is not None
        assert self.highest is not None
        same = self.lowest == self.highest
        if same.ndim == 3:
            same = same.all(axis=-1)
        if same.all():
            findings.errors.append("every picture is the same, in all its pixels: there is nothing to learn from")
        elif same.any():
            row, column = np.argwhere(same)[0].tolist()
            findings.warnings.append(
                f"{same.sum()} of {same.size} pixels are the same in every picture, the first in row {row}, column "
                f"{column}: the model learns nothing from them"
            )


@dataclass(slots=True)
class _Numbers:
    """Finds missing, infinite and constant values in columns of numbers, block by block."""

    raw: RawData
    kind: FeaturesInput
    missing: dict[int, tuple[int, int]] = field(default_factory=dict)  # column to (count, first row)
    rows_with_missing: int = 0
    infinite: dict[int, tuple[int, int]] = field(default_factory=dict)
    lowest: NDArray[np.float32] | None = None
    highest: NDArray[np.float32] | None = None

    def add(self, block: NDArray[Any], start: int) -> None:
        with np.errstate(over="ignore"):  # a float64 that is too large for a float32 is infinite in the graph
            values = block.astype(np.float32, copy=False)
        lowest, highest = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
        self.lowest = lowest if self.lowest is None else np.fmin(self.lowest, lowest)
        self.highest = highest if self.highest is None else np.fmax(self.highest, highest)
        if np.isfinite(values).all():
            return
        self.rows_with_missing += int(np.isnan(values).any(axis=1).sum())
        for problems, mask in ((self.missing, np.isnan(values)), (self.infinite, np.isinf(values))):
            for column in np.flatnonzero(mask.any(axis=0)).tolist():
                count, first = problems.get(column, (0, start + int(mask[:, column].argmax())))
                problems[column] = (count + int(mask[:, column].sum()), first)

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
        assert self.lowest is not None
        assert self.highest is not None
        if self.raw.inputs.dtype.kind in "iu" and max(-self.lowest.min(), self.highest.max()) > EXACT:
            findings.warnings.append(f"there are whole numbers over {EXACT}, which float32 rounds")
        numeric = np.array(
            [self.kind.columns is None or self.kind.columns[i].categories is None for i in range(len(names))]
        )
        constant = np.flatnonzero((self.lowest == self.highest) & numeric).tolist()
        if len(constant) == len(names):
            findings.errors.append(f"all rows are the same in all {len(names)} columns: there is nothing to learn from")
        elif constant:
            shown = ", ".join(names[i] for i in constant[:_MAX_NAMED]) + (", ..." if len(constant) > _MAX_NAMED else "")
            findings.warnings.append(
                f"{len(constant)} constant column{'s' * (len(constant) > 1)} ({shown}): the model learns nothing from "
                f"{'them' if len(constant) > 1 else 'it'}"
            )

    def _report_missing(self, findings: Findings, names: list[str]) -> None:
        """One error for all columns, so that the choice is made once."""
        if not self.missing:
            return
        columns = sorted(self.missing, key=lambda column: (-self.missing[column][0], column))
        first = min(first for _, first in self.missing.values())
        counts = ", ".join(f"{names[i]} has {self.missing[i][0]:,}" for i in columns[:_MAX_NAMED])
        more = f", and {len(columns) - _MAX_NAMED} more columns have some" if len(columns) > _MAX_NAMED else ""
        by_mean = "replaces a number by the mean of the training rows"
        if self.kind.columns is None:
            choices = f"give --missing mean, which {by_mean}, or leave those rows out of the file"
        else:
            left_out = " ".join(shlex.quote(self.kind.columns[i].name) for i in columns[:_MAX_NAMED])
            left_out += " ..." if more else ""
            choices = (
                f"give --missing mean, which {by_mean} and gives a missing category no weight; or leave the column"
                f"{'s' * (len(columns) > 1)} out by --ignore-columns {left_out}; or leave those rows out of the file"
            )
        findings.errors.append(
            f"{self.rows_with_missing:,} of {len(self.raw.inputs):,} {self.raw.noun}s lack a value, the first is row "
            f"{self.raw.row(first)}: column {counts}{more}; {choices}"
        )

    def _names(self) -> list[str]:
        """The columns for messages: quoted names, or numbers from 0 if they have no names."""
        if self.kind.columns is None:
            return [str(i) for i in range(self.kind.width)]
        return [repr(column.name) for column in self.kind.columns]
