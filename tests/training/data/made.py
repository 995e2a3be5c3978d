"""Writes small files of each form for the tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from PIL import Image

from training.data.opening import OpenedData, open_data
from training.data.options import DataOptions
from training.data.pool import Pool


def columns(rows: int = 200) -> dict[str, Any]:
    """The columns of a table to learn from, without copies."""
    rng = np.random.default_rng(0)
    return {
        "age": rng.integers(20, 80, rows),
        "pressure": np.arange(rows) / 7,
        "sex": [("f", "m")[i % 2] for i in range(rows)],
        "smoker": [i % 3 == 0 for i in range(rows)],
        "patient": [f"p{i // 4}" for i in range(rows)],
        "visit": np.datetime64("2024-01-01") + np.arange(rows)[::-1],
        "label": [("healthy", "ill")[i % 5 == 0] for i in range(rows)],
    }


def with_copies(rows: int = 200, again: int = 20) -> dict[str, Any]:
    """The same table with its first rows repeated at the end."""
    values = columns(rows).items()
    return {name: np.concatenate([np.asarray(column), np.asarray(column)[:again]]) for name, column in values}


def write(path: Path, values: dict[str, Any]) -> Path:
    """Write a CSV or Parquet file, depending on the suffix."""
    table = pa.table(values)
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, path)
    else:
        pyarrow.parquet.write_table(table, path)
    return path


def picture(path: Path, number: int, size: tuple[int, int] = (6, 5), mode: str = "L") -> Path:
    """Write a picture that depends on its number; `size` is width by height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    depth = (3,) if mode == "RGB" else ()
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], *depth), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def folders(root: Path, each: int = 20, **options: Any) -> Path:
    """Two classes of pictures."""
    for number in range(2 * each):
        picture(root / ("cat", "dog")[number % 2] / f"{number:03}.png", number, **options)
    return root


def opened(path: Path, **options: Any) -> OpenedData:
    """The data at `path`."""
    return open_data(DataOptions(path, **options))


def pool(path: Path, **options: Any) -> Pool:
    """The pool of the data at `path`, which must have no errors."""
    result = opened(path, **options)
    assert result.findings.errors == []
    assert result.pool is not None
    return result.pool
