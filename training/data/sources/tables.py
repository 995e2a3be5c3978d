"""Reads a table of numbers and categories, CSV or Parquet, as inputs of the graph: float32 `[N, width]`."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from service.contract.inputs import Column, FeaturesInput
from training.data.coded import CodedColumn, is_text
from training.data.options import DataOptions
from training.data.raw import Findings, RawData
from training.data.sources import table_files
from training.errors import DataError

EXACT = 2**24  # float32 holds every whole number up to it
_MAX_CATEGORIES = 0.5  # of the rows: a column with more categories probably identifies the rows


def read(options: DataOptions, findings: Findings) -> RawData:
    """Read the files of a table. Raises DataError if it lacks a column that the options name."""
    table, sources = table_files.read_all(options.sources)
    _check_names(table, options)
    columns: list[Column] = []
    values: list[NDArray[np.float32]] = []
    left_out = {options.label_column, *options.extra_columns, *options.ignore_columns}
    for name in table.column_names:
        if name in left_out or (options.columns is not None and name not in options.columns):
            continue
        read = _column(name, table[name].combine_chunks(), options, findings)
        if read is not None:
            columns.append(read[0])
            values.append(read[1])
    if not columns:
        findings.raise_errors()
        raise DataError(
            f"{options.path} has no column besides {', '.join(sorted(left_out))}: there is nothing to learn from"
        )
    return RawData(
        form=f"a table, {'CSV' if options.path.suffix == '.csv' else 'Parquet'}",
        noun="row",
        input=FeaturesInput(width=len(columns), columns=columns, missing=options.missing),
        inputs=np.stack(values, axis=1),
        labels=CodedColumn.from_arrow(table[options.label_column], f"the labels, column {options.label_column!r},"),
        first_row=1,
        sources=sources if options.files else None,
        columns={name: table[name] for name in options.extra_columns},
    )


def _check_names(table: pa.Table, options: DataOptions) -> None:
    by_option = [
        ("--label-column", (options.label_column,)),
        ("the model's column", options.columns or ()),
        ("--split-column", (options.split_column,)),
        ("--group-column", (options.group_column,)),
        ("--time-column", (options.time_column,)),
        ("--categorical", options.categorical),
        ("--ignore-columns", options.ignore_columns),
    ]
    for option, names in by_option:
        for name in names:
            if name is not None:
                table_files.require(table.column_names, name, option, options.path)


def _column(
    name: str, array: pa.Array, options: DataOptions, findings: Findings
) -> tuple[Column, NDArray[np.float32]] | None:
    """One column as the manifest describes it, and its values in the graph; None if it cannot be used."""
    kind = array.type
    if pa.types.is_null(kind):
        findings.errors.append(f"column {name!r} has no value in any row: leave it out by --ignore-columns {name}")
        return None
    if name in options.categorical or is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_dictionary(kind):
        return _categorical(name, array, options, findings)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _numeric(name, array, findings)
    other = "--vector-column" if pa.types.is_fixed_size_binary(kind) else "--time-column or --group-column"
    findings.errors.append(
        f"column {name!r} is of type {kind}: inputs are numbers, strings or booleans; "
        f"leave it out by --ignore-columns {name}, or use it by {other}"
    )
    return None


def _numeric(name: str, array: pa.Array, findings: Findings) -> tuple[Column, NDArray[np.float32]]:
    wide = pc.fill_null(array.cast(pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False)
    if pa.types.is_integer(array.type) and len(wide) and np.nanmax(np.abs(wide), initial=0) > EXACT:
        findings.warnings.append(
            f"column {name!r} has whole numbers over {EXACT}, which float32 rounds: if they are names, "
            f"give --ignore-columns {name} or --categorical {name}"
        )
    with np.errstate(over="ignore"):  # values that are too large become infinite; the scan reports them
        return Column(name=name, categories=None), wide.astype(np.float32)


def _categorical(
    name: str, array: pa.Array, options: DataOptions, findings: Findings
) -> tuple[Column, NDArray[np.float32]] | None:
    coded = CodedColumn.from_arrow(array, f"the categories, column {name!r},")
    missing = coded.missing()
    if len(missing) and options.missing == "refuse":
        findings.errors.append(
            f"column {name!r} has {len(missing)} missing values, the first in row {int(missing[0]) + 1}: fill them in, "
            f"leave the column out by --ignore-columns {name}, or give --missing mean (a missing category then has no "
            "weight for any class)"
        )
    if not coded.names:
        findings.errors.append(f"column {name!r} has no value in any row: leave it out by --ignore-columns {name}")
        return None
    _warn_if_unlikely(name, coded, findings)
    return Column(name=name, categories=list(coded.names)), coded.codes.astype(np.float32)


def _warn_if_unlikely(name: str, coded: CodedColumn, findings: Findings) -> None:
    """Warn of categories that are probably something else."""
    rows, names = len(coded.codes), coded.names
    if len(names) == 1:
        findings.warnings.append(f"column {name!r} is {names[0]!r} in every row: the model learns nothing from it")
    if all(text.lower().endswith((".png", ".jpg", ".jpeg")) for text in names):
        findings.warnings.append(
            f"column {name!r} looks like paths of pictures: give --path-column {name} to read them"
        )
    elif len(names) > max(20, _MAX_CATEGORIES * rows):
        findings.warnings.append(
            f"column {name!r} has {len(names)} categories in {rows} rows: if they identify the rows, "
            f"give --ignore-columns {name}"
        )
    text = [word for word in names if not _is_number(word)]
    if len(names) > 10 and 0 < len(text) <= len(names) // 10:
        findings.warnings.append(
            f"column {name!r} is read as categories because it holds {text[0]!r} among numbers: "
            "leave the cells of missing values empty"
        )


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
