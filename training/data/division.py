"""From a user's words on splits, groups and times to the rule that divides their examples."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.manifest import SplitName
from training.data.coded import Coded
from training.data.drawing import Drawing, copies_of, units_of
from training.data.findings import Findings
from training.data.options import DataOptions
from training.data.pool import Wording
from training.data.raw import ALL_SPLITS, Raw
from training.errors import DataError

Strata = tuple[NDArray[np.int8], tuple[tuple[SplitName, ...], ...]]


def divide(
    raw: Raw, labels: Coded, hashes: NDArray[np.uint64], options: DataOptions, findings: Findings
) -> tuple[Drawing | None, Wording, tuple[str, ...]]:
    """The rule, its wording, and what its ranks of time stand for; None where an error stands against it.

    Raises DataError where the options do not go together.
    """
    _check_together(options)
    strata = _strata(raw, options, findings)
    groups = _groups(raw, options, findings)
    times, texts = _times(raw, options, findings)
    wording = _wording(raw, options)
    if strata is None or (options.group_column and groups is None) or (options.time_column and times is None):
        return None, wording, ()
    drawing = Drawing(options.split_shares, *strata, units_of(groups, hashes), times)
    _report_copies(labels, hashes, drawing, findings)
    return drawing, wording, texts


def _check_together(options: DataOptions) -> None:
    ways = {
        "--split-column": options.split_column,
        "--group-column": options.group_column,
        "--time-column": options.time_column,
        **{f"--{name}": path for name, path in options.files},
    }
    given = [option for option, value in ways.items() if value is not None]
    own_files = all(option in ("--tune", "--calibration", "--report") for option in given)
    if len(given) > 1 and not own_files:
        raise DataError(f"{given[0]} and {given[1]} say two different things about the splits: give one of them")


def _strata(raw: Raw, options: DataOptions, findings: Findings) -> Strata | None:
    if options.split_column is not None:
        return _by_column(raw, options.split_column, findings)
    if options.files:
        assert raw.sources is not None
        own: tuple[SplitName, ...] = tuple(name for name in ALL_SPLITS if name in dict(options.files))
        rest: tuple[SplitName, ...] = tuple(name for name in ALL_SPLITS if name not in own)
        return raw.sources, (rest, *((name,) for name in own))
    if raw.apart is not None:
        assert raw.sources is not None
        return raw.sources, raw.apart
    return np.zeros(len(raw.inputs), dtype=np.int8), (ALL_SPLITS,)


def _by_column(raw: Raw, name: str, findings: Findings) -> Strata | None:
    coded = _coded(raw, name)
    other = [text for text in coded.names if text not in ALL_SPLITS]
    lacking = [split for split in ALL_SPLITS if split not in coded.names]
    missing = coded.missing()
    if other:
        findings.errors.append(f"column {name!r} says {other[0]!r}: a split is one of {', '.join(ALL_SPLITS)}")
    if len(missing):
        findings.errors.append(
            f"column {name!r} has {len(missing)} missing values, the first in row {raw.row(missing[0])}"
        )
    if lacking and not other:
        findings.errors.append(f"column {name!r} gives {' and '.join(lacking)} no row: each split needs some")
    if other or lacking or len(missing):
        return None
    return coded.with_names(tuple(ALL_SPLITS)).codes.astype(np.int8), tuple((split,) for split in ALL_SPLITS)


def _groups(raw: Raw, options: DataOptions, findings: Findings) -> NDArray[np.int64] | None:
    if options.group_column is None:
        return None
    coded = _coded(raw, options.group_column)
    missing = coded.missing()
    if len(missing):
        findings.errors.append(
            f"column {options.group_column!r} has {len(missing)} missing values, the first in row "
            f"{raw.row(missing[0])}: every example belongs to a group"
        )
        return None
    return coded.codes


def _times(raw: Raw, options: DataOptions, findings: Findings) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """The rank of each example's time, and the times in order."""
    name = options.time_column
    if name is None:
        return None, ()
    values = _numpy(raw.columns[name])
    if values.dtype.kind not in "iufM":
        raise DataError(f"column {name!r} holds no times: numbers, dates or timestamps (ISO 8601) are taken")
    missing = np.flatnonzero(np.isnat(values) if values.dtype.kind == "M" else np.isnan(values))
    if len(missing):
        findings.errors.append(
            f"column {name!r} has {len(missing)} missing values, the first in row {raw.row(missing[0])}: "
            "every example has a time"
        )
        return None, ()
    distinct, ranks = np.unique(values, return_inverse=True)
    return ranks.astype(np.int64), tuple(map(str, distinct))


def _numpy(column: Any) -> NDArray[Any]:
    if isinstance(column, np.ndarray):
        return column
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp(array.type.unit))  # in UTC, without its zone's name
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values


def _coded(raw: Raw, name: str) -> Coded:
    column, what = raw.columns[name], f"the values of column {name!r}"
    return Coded.of_array(column, what) if isinstance(column, np.ndarray) else Coded.of_arrow(column, what)


def _wording(raw: Raw, options: DataOptions) -> Wording:
    what = f"the {len(raw.inputs):,} {raw.one}s of {options.path.resolve().name}"
    if options.split_column:
        return Wording(what, "column", options.split_column, notes=raw.notes)
    if options.group_column:
        return Wording(what, "groups", options.group_column, notes=raw.notes)
    if options.time_column:
        return Wording(what, "time", options.time_column, notes=raw.notes)
    if options.files and raw.sources is not None:
        counts = np.bincount(raw.sources, minlength=len(options.sources)).tolist()
        whats = [
            f"the {count:,} {raw.one}s of {path.resolve().name}"
            for count, path in zip(counts, options.sources, strict=True)
        ]
        files = tuple((name, text) for (name, _), text in zip(options.files, whats[1:], strict=True))
        return Wording(whats[0], "files", files=files, notes=raw.notes)
    if raw.apart is not None and len(raw.apart) > 1:
        return Wording(what, "apart", notes=raw.notes)
    return Wording(what, "drawn", notes=raw.notes)


def _report_copies(labels: Coded, hashes: NDArray[np.uint64], drawing: Drawing, findings: Findings) -> None:
    rows, copies = copies_of(hashes)
    if not len(rows):
        return
    kinds = int(copies.max()) + 1
    moved = (
        ""
        if len(drawing.allowed) == 1
        else ", in the first of the splits that have it, whatever was given for the others"
    )
    findings.warnings.append(
        f"{len(rows)} examples are {kinds} that occur more than once: all copies of one go to the same split{moved}"
    )
    codes = labels.codes[rows]
    least, most = np.full(kinds, len(labels.names)), np.full(kinds, -1)
    np.minimum.at(least, copies, codes)
    np.maximum.at(most, copies, codes)
    if disagreeing := int((least != most).sum()):
        findings.warnings.append(f"{disagreeing} of those have copies with different labels")
