"""Picture files from folders and tables of paths, and the messages for unsuitable ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.contract.inputs import ImageInput
from service.inference.readers.images import ImageReader
from service.inference.readers.picture_options import PictureOptions
from tests.training.data.made import folders, opened, picture, pool, write
from training.data.sources.picture_file import Frame, decode
from training.data.splits import split
from training.errors import DataError


def test_folder_for_each_class(tmp_path: Path) -> None:
    data = pool(folders(tmp_path / "pets"))
    assert (data.name, data.classes) == ("pets", ("cat", "dog"))
    assert data.input == ImageInput(height=5, width=6, channels=1, foreground=None)
    with Image.open(tmp_path / "pets" / "cat" / "002.png") as second:
        np.testing.assert_array_equal(data.examples.inputs[1], np.asarray(second))
    splits = split(data, "tuned", 0)
    assert [len(splits.train), len(splits.report)] == [20, 6]
    assert splits.report.source == "the 40 pictures of pets, drawn at random"


def test_folders_named_by_numbers_are_sorted_by_number(tmp_path: Path) -> None:
    for number in range(24):
        picture(tmp_path / str((9, 10)[number % 2]) / f"{number}.png", number)
    assert pool(tmp_path).classes == ("9", "10")


def test_rgb_png_and_jpeg(tmp_path: Path) -> None:
    folders(tmp_path, mode="RGB")
    picture(tmp_path / "cat" / "last.jpg", 99, mode="RGB")
    data = pool(tmp_path)
    assert data.input == ImageInput(height=5, width=6, channels=3, foreground=None)
    assert data.examples.inputs.shape == (41, 5, 6, 3)


def test_table_of_paths(tmp_path: Path) -> None:
    paths = [picture(tmp_path / "pictures" / f"{i}.png", i) for i in range(40)]
    values = {
        "file": [str(path.relative_to(tmp_path)) for path in paths],
        "label": ["cat", "dog"] * 20,
        "owner": [i // 4 for i in range(40)],
    }
    data = pool(write(tmp_path / "t.csv", values), path_column="file", group_column="owner")
    assert data.classes == ("cat", "dog")
    np.testing.assert_array_equal(data.examples.inputs[7], np.asarray(Image.open(paths[7])))


def test_table_of_paths_without_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"file": ["1.png"] * 20, "kind": ["cat", "dog"] * 10})
    with pytest.raises(DataError, match=r"--label-column label: .*t\.csv has no such column; it has file, kind"):
        opened(path, path_column="file")
    with pytest.raises(DataError, match=r"--path-column picture: .*t\.csv has no such column; it has file, kind"):
        opened(path, path_column="picture", label_column="kind")


def test_folder_of_tables_of_paths(tmp_path: Path) -> None:
    for i in range(40):
        picture(tmp_path / "all" / f"{i}.png", i)
        values = {"file": [f"../all/{i}.png"], "label": [("cat", "dog")[i % 2]]}
        (tmp_path / "tables").mkdir(exist_ok=True)
        write(tmp_path / "tables" / f"{i:02}.parquet", values)
    data = pool(tmp_path / "tables", path_column="file")
    with Image.open(tmp_path / "all" / "7.png") as seventh:
        np.testing.assert_array_equal(data.examples.inputs[7], np.asarray(seventh))


def test_other_sizes_and_colours_are_refused_or_fitted(tmp_path: Path) -> None:
    folders(tmp_path)
    picture(tmp_path / "cat" / "zz.png", 90, size=(9, 9))
    picture(tmp_path / "dog" / "zz.png", 91, mode="RGB")
    errors = opened(tmp_path).findings.errors
    assert errors == [
        f"{tmp_path}/cat/zz.png is 9x9, the first is 5x6: give --image-size H W",
        f"{tmp_path}/dog/zz.png is RGB, the first is grey: give --image-colour grey or rgb",
    ]
    data = pool(tmp_path, image_size=(8, 8), image_colour="rgb")
    assert data.examples.inputs.shape == (42, 8, 8, 3)
    assert data.parts(0)["report"].source == (
        f"the 42 pictures of {tmp_path.name}, drawn at random (shrunk or enlarged to fit 8x8 and centred on black)"
    )


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "LA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_fitted_as_the_service_fits_them(tmp_path: Path, mode: str, channels: int) -> None:
    path = picture(tmp_path / "a.png", 0, size=(31, 17), mode="RGB")
    with Image.open(path) as made:
        converted = made.convert(mode)
    if converted.has_transparency_data:
        converted.putalpha(Image.linear_gradient("L").resize(converted.size))
    converted.save(path)
    kind = ImageInput(height=12, width=10, channels=channels)
    served = ImageReader(kind, 1, 10_000, PictureOptions(resize=True)).from_body(path.read_bytes(), "image/png")[0]
    np.testing.assert_array_equal(decode(str(path), Frame(12, 10, channels == 3, fit=True, convert=True)), served)


def test_unreadable_pictures_are_named_or_counted(tmp_path: Path) -> None:
    folders(tmp_path)
    content = (tmp_path / "cat" / "002.png").read_bytes()
    (tmp_path / "cat" / "002.png").write_bytes(content[:60])
    (tmp_path / "dog" / "003.png").write_bytes(b"no picture")
    errors = opened(tmp_path, skip_unreadable=1).findings.errors
    assert errors[0].startswith(f"{tmp_path}/cat/002.png cannot be read: ")
    assert errors[1] == f"{tmp_path}/dog/003.png cannot be read: neither PNG nor JPEG"
    assert errors[2].startswith("2 pictures cannot be read, but --skip-unreadable allows 1: ")
    data = pool(tmp_path, skip_unreadable=2)
    assert len(data.examples) == 38
    assert data.parts(0)["train"].source.endswith("drawn at random (2 unreadable left out)")


def test_folders_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folders: put the pictures into one folder for each class"):
        opened(tmp_path)
    folders(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("x")
    findings = opened(tmp_path).findings
    assert findings.errors == [
        f"the class folder {tmp_path}/empty has no picture: put .png, .jpg, .jpeg files into it, or delete it"
    ]
    assert findings.warnings == [f"{tmp_path}/cat: 1 entries are left out: they are no .png or .jpg files"]
