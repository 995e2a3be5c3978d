"""From a user's words on splits, groups and times to the rule that divides their examples."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.contract.manifest import SplitName
from training.data.coded import Coded
from training.data.copies import Repeated, by_default, population_suffix, summary_line, warning_lines
from training.data.drawing import Drawing
from training.data.findings import Findings
from training.data.options import DataOptions
from training.data.pool import Wording
from training.data.raw import ALL_SPLITS, Raw
from training.errors import DataError

Strata = tuple[NDArray[np.int8], tuple[tuple[SplitName, ...], ...]]


@dataclass(frozen=True, slots=True)
class Division:
    """The rule that divides some examples, and what it is called."""

    drawing: Drawing
    wording: Wording
    times: tuple[str, ...]  # what the drawing's ranks of time stand for
    copies: str | None  # what becomes of copies, in a line; None where nothing repeats


def divide(
    raw: Raw, labels: Coded, hashes: NDArray[np.uint64], options: DataOptions, findings: Findings
) -> Division | None:
    """The rule for the examples with these `hashes` `[N]`; None where an error stands against it.

    Raises DataError where the options do not go together.
    """
    _check_together(options)
    strata = _strata(raw, options, findings)
    groups = _groups(raw, options, findings)
    times, texts = _times(raw, options, findings)
    if strata is None or (options.group_column and groups is None) or (options.time_column and times is None):
        return None
    size, repeated = len(raw.inputs), Repeated.among(hashes)
    copies = options.copies or by_default(raw.input)
    kept = repeated.first_of_each(size, _first_splits(*strata)) if copies == "one" else None
    if copies == "together":
        groups = repeated.joined_groups(size, groups)
    wording = _wording(raw, kept, options)
    if not repeated.repeats:
        return Division(Drawing(options.split_shares, *strata, groups, times), wording, texts, None)
    findings.warnings += warning_lines(
        repeated, labels, raw.one, copies, asked=options.copies is not None, apart=len(strata[1]) > 1
    )
    return Division(
        Drawing(options.split_shares, *strata, groups, times, kept),
        dataclasses.replace(wording, copies=population_suffix(repeated, raw.one, copies, wording.way)),
        texts,
        summary_line(repeated, size, raw.one, copies),
    )


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


def _first_splits(strata: NDArray[np.int8], allowed: tuple[tuple[SplitName, ...], ...]) -> NDArray[np.int8]:
    """The first of the splits that each example may be in, `[N]`, as an index into ALL_SPLITS."""
    first = [min(ALL_SPLITS.index(name) for name in names) for names in allowed]
    return np.array(first, dtype=np.int8)[strata]


def _wording(raw: Raw, kept: NDArray[np.bool_] | None, options: DataOptions) -> Wording:
    if options.files and raw.sources is not None:
        read = np.bincount(raw.sources, minlength=len(options.sources)).tolist()
        held = read if kept is None else np.bincount(raw.sources[kept], minlength=len(options.sources)).tolist()
        counts = zip(held, read, options.sources, strict=True)
        whats = [_what(of_kept, of_all, raw.one, path) for of_kept, of_all, path in counts]
        files = tuple((name, text) for (name, _), text in zip(options.files, whats[1:], strict=True))
        return Wording(whats[0], "files", files=files, notes=raw.notes)
    size = len(raw.inputs)
    what = _what(size if kept is None else int(kept.sum()), size, raw.one, options.path)
    if options.split_column:
        return Wording(what, "column", options.split_column, notes=raw.notes)
    if options.group_column:
        return Wording(what, "groups", options.group_column, notes=raw.notes)
    if options.time_column:
        return Wording(what, "time", options.time_column, notes=raw.notes)
    if raw.apart is not None and len(raw.apart) > 1:
        return Wording(what, "apart", notes=raw.notes)
    return Wording(what, "drawn", notes=raw.notes)


def _what(kept: int, read: int, one: str, path: Path) -> str:
    """The examples of a file, in words.

    >>> _what(4980, 5000, "picture", Path("/pets"))
    'the 4,980 distinct pictures of pets (20 copies left out)'
    """
    name, copies = path.resolve().name, read - kept
    if not copies:
        return f"the {read:,} {one}s of {name}"
    return f"the {kept:,} distinct {one}s of {name} ({copies:,} {'copy' if copies == 1 else 'copies'} left out)"
