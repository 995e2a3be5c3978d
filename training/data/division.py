"""Builds the split rule from the user's options on splits, groups, times and copies."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.contract.manifest import SplitName
from training.data.coded import CodedColumn
from training.data.copies import CopySets, default_copies, population_suffix, summary_line, warning_lines
from training.data.options import DataOptions
from training.data.pool import PopulationWording
from training.data.rare import RareClasses
from training.data.raw import ALL_SPLITS, Findings, RawData
from training.data.split_rule import SplitRule
from training.errors import DataError

Strata = tuple[NDArray[np.int8], tuple[tuple[SplitName, ...], ...]]


@dataclass(frozen=True, slots=True)
class Division:
    """The split rule of some examples, and its description."""

    rule: SplitRule
    wording: PopulationWording
    times: tuple[str, ...]  # the time of each rank in the rule
    copies: str | None  # how copies are treated, in a line; None if nothing repeats
    labels: CodedColumn  # without the classes that --drop-rare leaves out
    rare: str | None  # what --drop-rare leaves out, in words


def divide(
    raw: RawData, labels: CodedColumn, hashes: NDArray[np.uint64], options: DataOptions, findings: Findings
) -> Division | None:
    """The rule for the examples with these `hashes` `[N]`; None if there is an error in the columns that decide it.

    Raises DataError if the options contradict one another.
    """
    _check_together(options)
    strata = _strata(raw, options, findings)
    groups = _groups(raw, options, findings)
    times, texts = _times(raw, options, findings)
    if strata is None or (options.group_column and groups is None) or (options.time_column and times is None):
        return None
    size, copy_sets = len(raw.inputs), CopySets.from_hashes(hashes)
    copies = options.copies or default_copies(raw.input)
    kept = copy_sets.keep_first(size, _first_splits(*strata)) if copies == "one" else None
    if copies == "together":
        groups = copy_sets.joined_groups(size, groups)
    rare = RareClasses.find(labels, kept, options.drop_rare)
    note = None if rare is None else rare.note(raw.noun)
    wording = _wording(raw, kept, rare, options)
    if copy_sets.repeat_count:
        findings.warnings += warning_lines(
            copy_sets, labels, raw.noun, copies, given=options.copies is not None, strata=len(strata[1]) > 1
        )
        suffix = population_suffix(copy_sets, raw.noun, copies, wording.method)
        wording = dataclasses.replace(wording, copies=suffix)
    if rare is not None:
        findings.warnings.append(f"{note} (--drop-rare): {_first(rare.names)}")
        kept = ~rare.mask if kept is None else kept & ~rare.mask
    return Division(
        SplitRule(options.split_shares, *strata, groups, times, kept),
        wording,
        texts,
        summary_line(copy_sets, size, raw.noun, copies) if copy_sets.repeat_count else None,
        labels if rare is None else rare.remaining(labels),
        note,
    )


def _first(names: tuple[str, ...]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _check_together(options: DataOptions) -> None:
    methods = {
        "--split-column": options.split_column,
        "--group-column": options.group_column,
        "--time-column": options.time_column,
        **{f"--{name}": path for name, path in options.files},
    }
    given = [option for option, value in methods.items() if value is not None]
    own_files = all(option in ("--tune", "--calibration", "--report") for option in given)
    if len(given) > 1 and not own_files:
        raise DataError(f"{given[0]} and {given[1]} cannot be combined: each decides the splits, so give one of them")


def _strata(raw: RawData, options: DataOptions, findings: Findings) -> Strata | None:
    if options.split_column is not None:
        return _by_column(raw, options.split_column, findings)
    if options.files:
        assert raw.sources is not None
        own: tuple[SplitName, ...] = tuple(name for name in ALL_SPLITS if name in dict(options.files))
        rest: tuple[SplitName, ...] = tuple(name for name in ALL_SPLITS if name not in own)
        return raw.sources, (rest, *((name,) for name in own))
    if raw.strata is not None:
        assert raw.sources is not None
        return raw.sources, tuple(stratum.splits for stratum in raw.strata)
    return np.zeros(len(raw.inputs), dtype=np.int8), (ALL_SPLITS,)


def _by_column(raw: RawData, name: str, findings: Findings) -> Strata | None:
    coded = _coded(raw, name)
    unknown = [text for text in coded.names if text not in ALL_SPLITS]
    lacking = [split for split in ALL_SPLITS if split not in coded.names]
    missing = coded.missing()
    if unknown:
        findings.errors.append(
            f"the split column {name!r} holds {unknown[0]!r}: its values must be {', '.join(ALL_SPLITS)}"
        )
    if len(missing):
        findings.errors.append(
            f"the split column {name!r} has {len(missing)} missing values, the first in row {raw.row(missing[0])}: "
            "name a split in every row"
        )
    if lacking and not unknown:
        findings.errors.append(
            f"the split column {name!r} gives no row to {' and '.join(lacking)}: each split needs some"
        )
    if unknown or lacking or len(missing):
        return None
    return coded.with_names(tuple(ALL_SPLITS)).codes.astype(np.int8), tuple((split,) for split in ALL_SPLITS)


def _groups(raw: RawData, options: DataOptions, findings: Findings) -> NDArray[np.int64] | None:
    if options.group_column is None:
        return None
    coded = _coded(raw, options.group_column)
    missing = coded.missing()
    if len(missing):
        findings.errors.append(
            f"the group column {options.group_column!r} has {len(missing)} missing values, the first in row "
            f"{raw.row(missing[0])}: name a group in every row"
        )
        return None
    return coded.codes


def _times(raw: RawData, options: DataOptions, findings: Findings) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """The rank of each example's time, and the times in order."""
    name = options.time_column
    if name is None:
        return None, ()
    values = _numpy(raw.columns[name])
    if values.dtype.kind not in "iufM":
        raise DataError(f"the time column {name!r} holds no times: give numbers, dates or timestamps (ISO 8601)")
    missing = np.flatnonzero(np.isnat(values) if values.dtype.kind == "M" else np.isnan(values))
    if len(missing):
        findings.errors.append(
            f"the time column {name!r} has {len(missing)} missing values, the first in row {raw.row(missing[0])}: "
            "give a time in every row"
        )
        return None, ()
    distinct, ranks = np.unique(values, return_inverse=True)
    return ranks.astype(np.int64), tuple(map(str, distinct))


def _numpy(column: Any) -> NDArray[Any]:
    if isinstance(column, np.ndarray):
        return column
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp(array.type.unit))  # in UTC, without the name of its zone
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values


def _coded(raw: RawData, name: str) -> CodedColumn:
    column, subject = raw.columns[name], f"the values of column {name!r}"
    if isinstance(column, np.ndarray):
        return CodedColumn.from_array(column, subject)
    return CodedColumn.from_arrow(column, subject)


def _first_splits(strata: NDArray[np.int8], allowed: tuple[tuple[SplitName, ...], ...]) -> NDArray[np.int8]:
    """The first of the splits that each example may be in, `[N]`, as an index into ALL_SPLITS."""
    first = [min(ALL_SPLITS.index(name) for name in names) for names in allowed]
    return np.array(first, dtype=np.int8)[strata]


def _wording(
    raw: RawData, kept: NDArray[np.bool_] | None, rare: RareClasses | None, options: DataOptions
) -> PopulationWording:
    """The words for the examples; `kept` are those without omitted copies, `rare` those of rare classes."""
    read = None if rare is None else ~rare.mask
    held = read if kept is None else kept if read is None else kept & read
    notes = raw.notes if rare is None else (*raw.notes, rare.note(raw.noun))
    if options.files and raw.sources is not None:
        counts = [
            np.bincount(raw.sources if mask is None else raw.sources[mask], minlength=len(options.sources)).tolist()
            for mask in (held, read)
        ]
        texts = [
            _examples(kept_count, read_count, raw.noun, path)
            for kept_count, read_count, path in zip(*counts, options.sources, strict=True)
        ]
        files = tuple((name, text) for (name, _), text in zip(options.files, texts[1:], strict=True))
        return PopulationWording(texts[0], "files", files=files, notes=notes)
    kept_count, read_count = (len(raw.inputs) if mask is None else int(mask.sum()) for mask in (held, read))
    examples = _examples(kept_count, read_count, raw.noun, options.path)
    if options.split_column:
        return PopulationWording(examples, "column", options.split_column, notes=notes)
    if options.group_column:
        return PopulationWording(examples, "groups", options.group_column, notes=notes)
    if options.time_column:
        return PopulationWording(examples, "time", options.time_column, notes=notes)
    if raw.strata is not None and len(raw.strata) > 1:
        strata = tuple((split, stratum.words) for stratum in raw.strata for split in stratum.splits)
        return PopulationWording(examples, "strata", strata=strata, notes=notes)
    return PopulationWording(examples, "drawn", notes=notes)


def _examples(kept: int, read: int, noun: str, path: Path) -> str:
    """The examples of a file, in words.

    >>> _examples(4980, 5000, "picture", Path("/pets"))
    'the 4,980 distinct pictures of pets (20 copies left out)'
    """
    name, copies = path.resolve().name, read - kept
    if not copies:
        return f"the {read:,} {noun}s of {name}"
    return f"the {kept:,} distinct {noun}s of {name} ({copies:,} {'copy' if copies == 1 else 'copies'} left out)"
