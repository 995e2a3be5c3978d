"""Pictures in a column of Parquet: bytes, or structs of bytes and path."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from service.contract.inputs import ImageInput
from service.inference.readers.images import ImageReader
from service.scoring.columns import arrays, select
from tests.training.data.made import opened, picture, pool, write
from training.errors import DataError


def _table(tmp_path: Path, form: str, rows: int = 40) -> dict[str, Any]:
    files = [picture(tmp_path / "pictures" / f"{i}.png", i).read_bytes() for i in range(rows)]
    image: Any = files
    if form == "large":
        image = pa.array(files, pa.large_binary())
    if form == "struct":
        image = [{"bytes": content, "path": f"{i}.png"} for i, content in enumerate(files)]
    if form == "paths":
        image = [{"bytes": None, "path": f"pictures/{i}.png"} for i in range(rows)]
        image = pa.array(image, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    return {"image": image, "label": ["cat", "dog"] * (rows // 2)}


@pytest.mark.parametrize("form", ["bytes", "large", "struct", "paths"])
def test_pictures_are_found_and_read(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / "t.parquet", {**_table(tmp_path, form), "note": [f"n{i}" for i in range(40)]})
    data = opened(path, image_size=(4, 4))
    assert data.raw.form == "pictures in column 'image' of Parquet"
    assert data.findings.errors == []
    assert data.findings.warnings[0] == "the model learns only from the pictures of column 'image': note is left out"
    unfitted = pool(path, ignore_columns=("note",))
    assert unfitted.examples.inputs.shape == (40, 5, 6)
    kind = unfitted.input
    assert isinstance(kind, ImageInput)
    content = (tmp_path / "pictures" / "7.png").read_bytes()
    np.testing.assert_array_equal(
        unfitted.examples.inputs[7:8], ImageReader(kind, 1, 99).from_body(content, "image/png")
    )
    if form == "paths":
        return
    (batch,) = pa.parquet.read_table(path, columns=["image"]).to_batches()
    scored = ImageReader(kind, 40, 99).from_columns(arrays(batch, select(batch.schema, kind, None), kind, 1))
    np.testing.assert_array_equal(scored, unfitted.examples.inputs)


def test_folder_of_files_with_groups(tmp_path: Path) -> None:
    table = _table(tmp_path, "struct")
    for part in range(2):
        rows = slice(20 * part, 20 * part + 20)
        values = {name: column[rows] for name, column in table.items()} | {"owner": [i // 2 for i in range(20)]}
        (tmp_path / "parts").mkdir(exist_ok=True)
        write(tmp_path / "parts" / f"{part}.parquet", values)
    data = pool(tmp_path / "parts", group_column="owner")
    assert len(data.examples) == 40
    assert data.split_rule.groups is not None


def test_broken_and_missing_pictures_are_named_by_row(tmp_path: Path) -> None:
    table = _table(tmp_path, "bytes")
    table["image"][3], table["image"][8] = None, b"text"
    errors = opened(write(tmp_path / "t.parquet", table)).findings.errors
    assert errors[0] == "the picture of row 4 cannot be read: no picture is given"
    assert errors[1].startswith("the picture of row 9 cannot be read: not a picture: it is none of PNG")


def test_several_columns_of_pictures(tmp_path: Path) -> None:
    table = _table(tmp_path, "bytes")
    path = write(tmp_path / "t.parquet", {**table, "mask": table["image"]})
    with pytest.raises(DataError, match="has several columns of pictures, image, mask: leave out all but one by"):
        opened(path)
    assert len(pool(path, ignore_columns=("mask",)).examples) == 40


def test_bytes_that_are_no_pictures_are_none(tmp_path: Path) -> None:
    values = {"id": [f"{i}".encode() for i in range(40)], "x": np.arange(40.0), "label": ["a", "b"] * 20}
    errors = opened(write(tmp_path / "t.parquet", values)).findings.errors
    assert errors[0].startswith("column 'id' is of type binary: inputs are numbers")
