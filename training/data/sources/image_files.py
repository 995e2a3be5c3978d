"""Lists picture files: those of a folder for each class, or of a table of their paths."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa

from training.data.coded import CodedColumn
from training.data.options import DataOptions
from training.data.raw import Findings, RawData
from training.data.sources import listing, picture_folders, table_files
from training.errors import DataError


def read_folders(options: DataOptions, findings: Findings) -> RawData:
    """A folder with one folder for each class, perhaps within folders train, val and test.

    Raises DataError if it has no folder or no picture.
    """
    if options.extra_columns:
        raise DataError(
            f"{options.extra_columns[0]} is a column, but folders have no columns: list the pictures in a table"
        )
    layouts = [picture_folders.layout(path, findings) for path in options.sources]
    parts = [part for each in layouts for part in each.parts]
    own_splits = len(parts) > len(layouts)
    if own_splits and options.files:
        raise DataError(
            f"--{options.files[0][0]} cannot be used with folders of splits ({layouts[0].form}): leave it out, or give "
            "the folder of the training pictures by --data"
        )
    if own_splits:
        picture_folders.check_same_classes(parts, findings)
    pictures = [[(each.name, path) for each in part.classes for path in each.all_pictures()] for part in parts]
    paths = [path for part in pictures for _, path in part]
    return listing.read(
        listing.Listing(
            layouts[0].form,
            paths,
            CodedColumn.from_names([name for part in pictures for name, _ in part]),
            np.repeat(np.arange(len(parts), dtype=np.int8), [len(part) for part in pictures]),
            paths.__getitem__,
            strata=tuple(part.stratum for part in parts) if own_splits else None,
        ),
        options,
        findings,
    )


def read_table(options: DataOptions, findings: Findings) -> RawData:
    """A table with a column of paths, relative to the folder of the table, and one of labels. Raises DataError."""
    assert options.path_column is not None
    joined = table_files.read_all(options.sources, options.csv, options.text_columns)
    table, sources = joined.table, joined.sources
    table_files.require(table.column_names, options.path_column, "--path-column", options.path)
    table_files.require(table.column_names, options.label_column, "--label-column", options.path)
    for name in options.extra_columns:
        table_files.require(table.column_names, name, "a split, group or time column", options.path)
    folders = [path if path.is_dir() else path.parent for path in options.sources]
    texts = _texts(table, options.path_column)
    paths = [_resolved(folders[source], text) for source, text in zip(sources.tolist(), texts, strict=True)]
    return listing.read(
        listing.Listing(
            "a table of paths of pictures",
            paths,
            CodedColumn.from_arrow(table[options.label_column], f"the labels, column {options.label_column!r},"),
            sources,
            paths.__getitem__,
            {name: table[name].combine_chunks() for name in options.extra_columns},
            missing=f"paths are relative to the folder of the table, {folders[0]}",
        ),
        options,
        findings,
    )


def _texts(table: pa.Table, name: str) -> list[str]:
    try:
        texts: list[str] = table[name].cast(pa.string()).to_pylist()
    except pa.ArrowException:
        raise DataError(f"--path-column {name}: the column is of type {table[name].type}, not text") from None
    if None in texts or "" in texts:
        row = next(i for i, text in enumerate(texts) if not text) + 1
        raise DataError(f"the path column {name!r} has no path in row {row}: give one in every row")
    return texts


def _resolved(folder: Path, text: str) -> str:
    """The path of a picture; the separators of Windows are understood everywhere."""
    path = os.path.join(folder, text)
    return os.path.join(folder, text.replace("\\", "/")) if "\\" in text and not os.path.exists(path) else path
