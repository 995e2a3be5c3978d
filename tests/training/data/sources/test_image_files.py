"""Picture files from folders and tables of paths, and the messages for unsuitable ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.contract.inputs import ImageInput
from service.inference.readers.images import ImageReader
from service.inference.readers.picture_formats import SUFFIXES
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


def test_unreadable_pictures_are_named_and_counted(tmp_path: Path) -> None:
    folders(tmp_path)
    content = (tmp_path / "cat" / "002.png").read_bytes()
    (tmp_path / "cat" / "002.png").write_bytes(content[:60])
    (tmp_path / "dog" / "003.png").write_bytes(b"no picture")
    (tmp_path / "dog" / "005.png").write_bytes(b"")
    errors = opened(tmp_path, skip_unreadable=2).findings.errors
    assert errors[0].startswith(f"{tmp_path}/cat/002.png cannot be read: a damaged PNG: ")
    assert errors[1].startswith(f"{tmp_path}/dog/003.png cannot be read: not a picture: it is none of PNG, ")
    assert errors[2] == f"{tmp_path}/dog/005.png cannot be read: an empty file"
    assert errors[3] == (
        "3 of 40 pictures cannot be read, 1 a damaged PNG, 1 not a picture, 1 an empty file, but --skip-unreadable "
        "allows 2: repair or delete them, or give --skip-unreadable 3"
    )
    data = pool(tmp_path, skip_unreadable=3)
    assert len(data.examples) == 37
    assert data.parts(0)["train"].source.endswith("drawn at random (3 unreadable left out)")


def _unreadable(tmp_path: Path, save: Callable[[Path], object]) -> str:
    for number in range(20):
        path = tmp_path / ("cat", "dog")[number % 2] / f"{number}.tif"
        path.parent.mkdir(exist_ok=True)
        save(path)
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("save", "reason"),
    [
        (lambda path: path.write_bytes(b""), "20 an empty file; the first, "),
        (lambda path: path.symlink_to("gone"), "20 no such file; the first, "),
        (lambda path: path.write_bytes(b"II*\0 and no more"), "20 a damaged TIFF; the first, "),
        (
            lambda path: Image.new("F", (6, 5)).save(path),
            "20 pixels of a kind that is not supported; the first, ",
        ),
        (
            lambda path: Image.fromarray(np.full((5, 6), 70_000, np.int32)).save(path),
            "20 pixels of a kind that is not supported; the first, ",
        ),
    ],
)
def test_no_readable_picture_at_all(tmp_path: Path, save: Callable[[Path], object], reason: str) -> None:
    message = _unreadable(tmp_path, save)
    assert message.startswith(f"none of the 20 pictures of {tmp_path} can be read, {reason}{tmp_path}/cat/0.tif: ")


def test_paths_of_a_table_that_lead_nowhere(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"file": [f"{i}.png" for i in range(20)], "label": ["cat", "dog"] * 10})
    relative = f"paths are relative to the folder of the table, {tmp_path}"
    with pytest.raises(DataError, match=f"20 no such file; the first, {tmp_path}/0.png: no such file; {relative}"):
        opened(path, path_column="file")
    picture(tmp_path / "7.png", 7)
    assert opened(path, path_column="file").findings.errors[5] == (
        "19 of 20 pictures cannot be read, 19 no such file, but --skip-unreadable allows 0: repair or delete them, or "
        f"give --skip-unreadable 19; {relative}"
    )


def test_backslashes_in_a_table_of_paths(tmp_path: Path) -> None:
    for number in range(40):
        picture(tmp_path / "all" / f"{number}.png", number)
    values = {"file": [f"all\\{i}.png" for i in range(40)], "label": ["cat", "dog"] * 20}
    assert len(pool(write(tmp_path / "t.csv", values), path_column="file").examples) == 40


def test_path_column_that_holds_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", {"file": [[1.0]] * 20, "label": ["cat", "dog"] * 10})
    with pytest.raises(DataError, match=r"--path-column file: the column is of type list.*, not text"):
        opened(path, path_column="file")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    folders(tmp_path)
    name = Image.registered_extensions()[suffix]
    for path in sorted(tmp_path.rglob("*.png")):
        with Image.open(path) as image:
            path.unlink()
            image.convert("RGB").save(path.with_suffix(suffix.upper()), name)
    data = opened(tmp_path, image_colour="grey", copies="free")
    assert (data.findings.errors, len(data.raw.inputs)) == ([], 40)


def test_16_bits_of_grey_are_read_as_the_service_reads_them(tmp_path: Path) -> None:
    wide = np.random.default_rng(0).integers(0, 65536, (40, 5, 6)).astype(np.uint16)
    for number, pixels in enumerate(wide):
        path = tmp_path / ("cat", "dog")[number % 2] / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    data = pool(tmp_path)
    assert data.input == ImageInput(height=5, width=6, channels=1, foreground=None)
    np.testing.assert_array_equal(data.examples.inputs[1], np.round(wide[2] / 257))
    body = (tmp_path / "cat" / "002.png").read_bytes()
    served = ImageReader(data.input, 1, 10_000, PictureOptions(resize=True)).from_body(body, "image/png")
    np.testing.assert_array_equal(served, data.examples.inputs[1:2])


def test_16_bits_that_use_only_12_are_warned_of(tmp_path: Path) -> None:
    for number in range(40):
        path = tmp_path / ("cat", "dog")[number % 2] / f"{number:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 4096, (5, 6)).astype(np.uint16)).save(path)
    assert any("no picture has a level over 16 of 255" in line for line in opened(tmp_path).findings.warnings)


@pytest.mark.parametrize("options", [{}, {"image_size": (6, 5)}])
def test_pictures_are_turned_upright_before_their_size_is_checked(tmp_path: Path, options: dict[str, Any]) -> None:
    folders(tmp_path, size=(5, 6))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    path = tmp_path / "cat" / "002.png"
    with Image.open(path) as image:
        upright = np.asarray(image)
        image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    data = pool(tmp_path, **options)
    np.testing.assert_array_equal(data.examples.inputs[1], upright)
    assert isinstance(data.input, ImageInput)
    for resize in (False, True):
        reader = ImageReader(data.input, 1, 10_000, PictureOptions(resize=resize))
        np.testing.assert_array_equal(reader.from_body(path.read_bytes(), "image/png"), [upright])


@pytest.mark.parametrize("size", [(10**8, 10**9), (10**9, 10**9)])
def test_too_little_memory_is_one_line(tmp_path: Path, size: tuple[int, int]) -> None:
    folders(tmp_path)
    with pytest.raises(DataError, match=rf"^not enough memory for 40 pictures of {size[0]}x{size[1]}, .* GB: give a"):
        opened(tmp_path, image_size=size)
