"""Reads a table of numbers and categories, CSV or Parquet, as inputs of the graph: float32 `[N, width]`."""

import shlex
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from service.contract.inputs import Column, FeaturesInput
from service.inference.csv_files import written_numbers
from service.inference.csv_files.form import Decimal
from service.inference.readers.picture_formats import SUFFIXES
from training.data.coded import CodedColumn, is_text
from training.data.options import DataOptions
from training.data.raw import EXACT, Findings, RawData
from training.data.sources import row_numbers, table_files
from training.data.twins import name_warnings
from training.errors import DataError

_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
_MAX_NAME = 200  # characters, in the manifest
_MAX_NAMED = 5  # columns that a message names
_MAX_CATEGORIES = 0.5  # of the rows: a column with more categories probably identifies the rows


def read(options: DataOptions, findings: Findings) -> RawData:
    """Read the files of a table. Raises DataError if it lacks a column that the options name."""
    joined = table_files.read_all(options.sources, options.csv, options.text_columns)
    table = joined.table
    _check_names(table, options)
    columns: list[Column] = []
    values: list[NDArray[np.float32]] = []
    left_out = {options.label_column, *options.extra_columns, *options.ignore_columns}
    for name in table.column_names:
        if name in left_out or (options.columns is not None and name not in options.columns):
            continue
        array = table[name].combine_chunks()
        if name not in (*options.categorical, *options.numeric) and (
            line := row_numbers.left_out(name, array, joined.files)
        ):
            findings.left_out.append(line)
            continue
        read = _column(name, array, options, findings)
        if read is not None:
            columns.append(read[0])
            values.append(read[1])
    _warn_of_numbers([column for column in columns if column.name not in options.categorical], findings)
    if not columns:
        findings.raise_errors()
        raise DataError(
            f"{options.path} has no column besides {', '.join(sorted(left_out))}: there is nothing to learn from"
            + "".join(f"; {line}" for line in findings.left_out)
        )
    return RawData(
        form=f"a table, {joined.form}" + (f", {joined.files} files" if joined.files > 1 else ""),
        noun="row",
        input=FeaturesInput(width=len(columns), columns=columns, missing=options.missing),
        inputs=np.stack(values, axis=1),
        labels=CodedColumn.from_arrow(table[options.label_column], f"the labels, column {options.label_column!r},"),
        first_row=1,
        sources=joined.sources if options.files else None,
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
        ("--numeric", options.numeric),
        ("--ignore-columns", options.ignore_columns),
    ]
    for option, names in by_option:
        for name in names:
            if name is not None:
                table_files.require(table.column_names, name, option, options.path)
    if both := set(options.categorical) & set(options.numeric):
        raise DataError(f"--categorical and --numeric both name {min(both)}: name it in one of them")


def _column(
    name: str, array: pa.Array, options: DataOptions, findings: Findings
) -> tuple[Column, NDArray[np.float32]] | None:
    """One column as the manifest describes it, and its values in the graph; None if it cannot be used."""
    kind = array.type
    if len(name) > _MAX_NAME:
        findings.errors.append(
            f"the column {name[:40]!r}... has a name of {len(name)} characters: at most {_MAX_NAME} are allowed; "
            "shorten it in the file"
        )
        return None
    if pa.types.is_null(kind):
        findings.errors.append(f"column {name!r} has no value in any row: leave it out by --ignore-columns {name}")
        return None
    text = is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)
    if text and name not in options.categorical and _are_numbers(name, array, options, findings):
        return _numeric(name, written_numbers.numbers(array.cast(pa.string()), options.decimal or "."), findings)
    if name in options.categorical or text or pa.types.is_dictionary(kind):
        return _categorical(name, array, options, findings)
    if pa.types.is_boolean(kind) and name not in options.numeric:
        return _categorical(name, array, options, findings)
    if any(is_kind(kind) for is_kind in _NUMBERS):
        if name not in options.numeric and row_numbers.is_rising(array):
            findings.warnings.append(
                f"column {name!r} rises with every row: if it identifies the rows, give --ignore-columns {name}; if it "
                f"is their time, --time-column {name}; if it is a feature, --numeric {name}"
            )
        return _numeric(name, array, findings)
    other = "--vector-column" if pa.types.is_fixed_size_binary(kind) else "--time-column or --group-column"
    findings.errors.append(
        f"column {name!r} is of type {kind}: inputs are numbers, strings or booleans; "
        f"leave it out by --ignore-columns {name}, or use it by {other}"
    )
    return None


def _are_numbers(name: str, array: pa.Array, options: DataOptions, findings: Findings) -> bool:
    """Whether to read text as numbers: --numeric says so, or --decimal is given and all texts are such numbers."""
    texts, decimal = array.cast(pa.string()), options.decimal or "."
    if name not in options.numeric:
        return options.decimal is not None and written_numbers.written(texts, options.decimal)
    other = written_numbers.first_other(texts, decimal)
    if other is None:
        return True
    findings.errors.append(
        f"column {name!r} holds {texts[other].as_py()!r} in row {other + 1}, which is no number with the decimal mark "
        f"{decimal!r}: leave the cell of a missing value empty, give another --decimal, or do not name it by --numeric"
    )
    return False


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
    if not coded.names:
        findings.errors.append(f"column {name!r} has no value in any row: leave it out by --ignore-columns {name}")
        return None
    if name in options.categorical or not written_numbers.ways(coded.names):
        _warn_if_unlikely(name, coded, findings)
        findings.warnings += [f"column {name!r}: {line}" for line in name_warnings(coded, "category", "categories")]
    values = np.where(coded.codes < 0, np.nan, coded.codes).astype(np.float32)  # NaN: missing
    return Column(name=name, categories=list(coded.names)), values


def _warn_of_numbers(columns: list[Column], findings: Findings) -> None:
    """Warn of categories that are numbers written as text: one line for the columns with the same remedy."""
    remedies: dict[tuple[Decimal, ...], list[Column]] = {}
    for column in columns:
        if column.categories and (ways := written_numbers.ways(column.categories)):
            remedies.setdefault(ways, []).append(column)
    for ways, found in remedies.items():
        assert found[0].categories is not None
        example = max(found[0].categories, key=lambda text: (len(text), text))
        read = [(way, written_numbers.numbers(pa.array([example]), way)[0].as_py()) for way in ways]
        findings.warnings.append(
            f"numbers written as text, such as {example!r}, in {_listed(found)}: each is a "
            f"category. Give {' or '.join(f'--decimal {way} (to read {number:g})' for way, number in read)}, or "
            f"--categorical {shlex.quote(found[0].name)} if they are names"
        )


def _listed(columns: list[Column]) -> str:
    """The names of columns, or the first of many.

    >>> _listed([Column(name=f"c{i}") for i in range(7)])
    "columns 'c0', 'c1', 'c2', 'c3', 'c4' and 2 more"
    """
    names = ", ".join(repr(column.name) for column in columns[:_MAX_NAMED])
    more = f" and {len(columns) - _MAX_NAMED} more" if len(columns) > _MAX_NAMED else ""
    return f"column{'s' * (len(columns) > 1)} {names}{more}"


def _warn_if_unlikely(name: str, coded: CodedColumn, findings: Findings) -> None:
    """Warn of categories that are probably something else."""
    rows, names = len(coded.codes), coded.names
    if len(names) == 1:
        findings.warnings.append(f"column {name!r} is {names[0]!r} in every row: the model learns nothing from it")
    if all(text.lower().endswith(SUFFIXES) for text in names):
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
