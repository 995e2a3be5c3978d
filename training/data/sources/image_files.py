"""Reads picture files: from a folder for each class, or from a table of their paths."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.contract.inputs import ImageInput
from training.data.coded import CodedColumn
from training.data.options import DataOptions
from training.data.raw import Findings, RawData
from training.data.sources import table_files
from training.data.sources.decoding import Decoded, decode_all
from training.data.sources.picture_file import SUFFIXES, Frame, UnreadableError, frame_of
from training.errors import DataError

_MAX_NAMED = 10  # pictures that are named for one kind of problem


@dataclass(frozen=True, slots=True)
class _Listing:
    """N files with their labels, none of them opened yet."""

    form: str
    paths: list[str]
    labels: CodedColumn
    sources: NDArray[np.int8]
    columns: dict[str, Any]


def read_folders(options: DataOptions, findings: Findings) -> RawData:
    """A folder with one folder for each class. Raises DataError if it has no folder or no picture."""
    paths: list[str] = []
    names: list[str] = []
    sources: list[int] = []
    for number, folder in enumerate(options.sources):
        for name in _classes(folder):
            pictures = _pictures(folder / name, findings)
            paths += pictures
            names += [name] * len(pictures)
            sources += [number] * len(pictures)
    if not paths:
        raise DataError(
            f"{options.path} has no picture in any of its folders: put {', '.join(SUFFIXES)} files into them"
        )
    if options.extra_columns:
        raise DataError(
            f"{options.extra_columns[0]} is a column, but folders have no columns: list the pictures in a table"
        )
    listing = _Listing(
        "a folder for each class", paths, CodedColumn.from_names(names), np.array(sources, dtype=np.int8), {}
    )
    return _read(listing, options, findings)


def read_table(options: DataOptions, findings: Findings) -> RawData:
    """A table with a column of paths, relative to the folder of the table, and one of labels. Raises DataError."""
    assert options.path_column is not None
    joined = table_files.read_all(options.sources, options.csv, options.text_columns)
    table, sources = joined.table, joined.sources
    table_files.require(table.column_names, options.path_column, "--path-column", options.path)
    table_files.require(table.column_names, options.label_column, "--label-column", options.path)
    for name in options.extra_columns:
        table_files.require(table.column_names, name, "a split, group or time column", options.path)
    texts = table[options.path_column].cast(pa.string()).to_pylist()
    if None in texts or "" in texts:
        row = next(i for i, text in enumerate(texts) if not text) + 1
        raise DataError(f"the path column {options.path_column!r} has no path in row {row}: give one in every row")
    folders = [path if path.is_dir() else path.parent for path in options.sources]
    listing = _Listing(
        "a table of paths of pictures",
        [os.path.join(folders[source], text) for source, text in zip(sources.tolist(), texts, strict=True)],
        CodedColumn.from_arrow(table[options.label_column], f"the labels, column {options.label_column!r},"),
        sources,
        {name: table[name].combine_chunks() for name in options.extra_columns},
    )
    return _read(listing, options, findings)


def _classes(folder: Path) -> list[str]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != ".")
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    if not names:
        raise DataError(f"{folder} has no folders: put the pictures into one folder for each class")
    return names


def _pictures(folder: Path, findings: Findings) -> list[str]:
    entries = sorted((entry for entry in os.scandir(folder) if entry.name[0] != "."), key=lambda entry: entry.name)
    taken = [e.path for e in entries if e.name.lower().endswith(SUFFIXES) and e.is_file()]
    if not taken:
        findings.errors.append(
            f"the class folder {folder} has no picture: put {', '.join(SUFFIXES)} files into it, or delete it"
        )
    elif len(taken) < len(entries):
        findings.warnings.append(
            f"{folder}: {len(entries) - len(taken)} entries are left out: they are no .png or .jpg files"
        )
    return taken


def _read(listing: _Listing, options: DataOptions, findings: Findings) -> RawData:
    frame = _frame(listing.paths, options)
    decoded = decode_all(listing.paths, frame)
    _report(listing.paths, decoded, options, findings)
    bad = {*decoded.unreadable, *decoded.unfit}
    keep = np.array([i for i in range(len(listing.paths)) if i not in bad], dtype=np.int64)
    if not len(keep):
        findings.raise_errors()
        raise DataError(
            f"none of the {len(listing.paths)} pictures of {options.path} could be read: give PNG or JPEG files"
        )
    notes = []
    if frame.fit:
        notes.append(f"shrunk or enlarged to fit {frame.height}x{frame.width} and centred on black")
    if decoded.unreadable:
        notes.append(f"{len(decoded.unreadable)} unreadable left out")
    return RawData(
        form=listing.form,
        noun="picture",
        input=ImageInput(height=frame.height, width=frame.width, channels=3 if frame.colour else 1, foreground=None),
        inputs=decoded.images if not bad else decoded.images[keep],
        labels=CodedColumn(listing.labels.names, listing.labels.codes[keep]),
        first_row=1,
        sources=listing.sources[keep] if options.files else None,
        columns={name: column.take(pa.array(keep)) for name, column in listing.columns.items()},
        notes=tuple(notes),
    )


def _frame(paths: Sequence[str], options: DataOptions) -> Frame:
    """The frame of the options, completed by the first readable picture."""
    for path in paths:
        try:
            height, width, colour = frame_of(path)
            break
        except UnreadableError:
            continue
    else:
        raise DataError(
            f"none of the {len(paths)} pictures of {options.path} can be read ({paths[0]} ...): give PNG or JPEG"
        )
    if options.image_size is not None:
        height, width = options.image_size
    if options.image_colour is not None:
        colour = options.image_colour == "rgb"
    return Frame(height, width, colour, options.image_size is not None, options.image_colour is not None)


def _report(paths: Sequence[str], decoded: Decoded, options: DataOptions, findings: Findings) -> None:
    _add_problems(paths, decoded.unfit, findings.errors)
    count = len(decoded.unreadable)
    allowed = count <= options.skip_unreadable
    _add_problems(paths, decoded.unreadable, findings.warnings if allowed else findings.errors)
    if count and not allowed:
        findings.errors.append(
            f"{count} pictures cannot be read, but --skip-unreadable allows {options.skip_unreadable}: repair or "
            f"delete them, or give --skip-unreadable {count}"
        )


def _add_problems(paths: Sequence[str], problems: dict[int, str], lines: list[str]) -> None:
    for i in sorted(problems)[:_MAX_NAMED]:
        lines.append(f"{paths[i]} {problems[i]}")
    if len(problems) > _MAX_NAMED:
        lines.append(f"{len(problems) - _MAX_NAMED} more pictures have such a problem")
