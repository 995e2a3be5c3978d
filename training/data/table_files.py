"""CSV and Parquet, read into one table of pyarrow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from training.errors import DataError

SUFFIXES = (".csv", ".parquet", ".pq")
_LARGEST_BLOCK = 2**31 - 1


def read(path: Path) -> pa.Table:
    """The whole table. Raises DataError where the file is missing or is not what its name says."""
    try:
        table = _read_csv(path) if path.suffix == ".csv" else pa.parquet.read_table(path)
    except FileNotFoundError:
        raise DataError(f"{path} is not there") from None
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has more than one column {twice[0]!r}")
    if not len(table):
        raise DataError(f"{path} has no rows")
    return table


def read_all(paths: Sequence[Path]) -> tuple[pa.Table, NDArray[np.int8]]:
    """Several files as one table, and of which file each row is. Raises DataError where their columns differ."""
    tables = [read(path) for path in paths]
    for path, table in zip(paths[1:], tables[1:], strict=True):
        if differing := set(table.column_names) ^ set(tables[0].column_names):
            raise DataError(f"{path} and {paths[0]} do not have the same columns: {sorted(differing)[0]!r} is in one")
    try:
        joined = pa.concat_tables(
            [table.select(tables[0].column_names) for table in tables], promote_options="permissive"
        )
    except pa.ArrowException as error:
        raise DataError(f"{', '.join(map(str, paths))} do not fit together: {error}") from None
    origin = np.repeat(np.arange(len(tables), dtype=np.int8), [len(table) for table in tables])
    return joined.combine_chunks(), origin


def require(table: pa.Table, name: str, option: str, path: Path) -> None:
    """Raise DataError, which lists the columns, where `name` is none of them."""
    if name not in table.column_names:
        raise DataError(f"{option} {name}: {path} has no such column; it has {', '.join(table.column_names)}")


def _read_csv(path: Path) -> pa.Table:
    # One block: pyarrow takes a column's type from the first, and would refuse what comes later and is otherwise.
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"{path} is empty")
    return pa.csv.read_csv(path, read_options=pa.csv.ReadOptions(block_size=min(size + 1, _LARGEST_BLOCK)))
