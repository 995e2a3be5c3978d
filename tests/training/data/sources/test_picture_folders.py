"""The layouts of folders of pictures: nested classes, wrapping folders, folders of splits, and what lies between."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.data.made import folders, opened, picture, pool
from training.errors import DataError


def _split(root: Path, **counts: int) -> Path:
    """A folder for each split, each with the class folders and so many distinct pictures of each class."""
    for number, (name, each) in enumerate(counts.items()):
        for i in range(2 * each):
            picture(root / name / ("cat", "dog")[i % 2] / f"{i:03}.png", 1000 * number + i)
    return root


def test_pictures_below_a_class_folder_belong_to_the_class(tmp_path: Path) -> None:
    folders(tmp_path)
    for number in range(30):
        picture(tmp_path / "cat" / "more" / str(number % 3) / f"{number}.png", 100 + number)
    data = opened(tmp_path)
    assert data.raw.form == "a folder for each class; 30 pictures in sub-folders of cat"
    assert data.findings.errors == data.findings.warnings == []
    assert data.raw.labels.counts().tolist() == [50, 20]


def test_sub_folders_that_may_be_the_classes_are_refused(tmp_path: Path) -> None:
    for year in ("2023", "2024"):
        folders(tmp_path / year)
    rule = (
        "the classes of its 80 pictures may be 2023 and 2024, or cat and dog, which each of them has as sub-folders: "
    )
    with pytest.raises(DataError, match=rule):
        opened(tmp_path)
    picture(tmp_path / "2024" / "0.png", 99)  # a picture of the class itself: the upper folders are the classes
    assert opened(tmp_path, copies="free").raw.labels.names == ("2023", "2024")


def test_wrapping_folders_are_gone_through(tmp_path: Path) -> None:
    folders(tmp_path / "archive" / "pets")
    (tmp_path / "README.txt").write_text("x")
    data = opened(tmp_path)
    assert data.raw.form == "a folder for each class in archive/pets"
    assert (data.raw.labels.names, data.findings.warnings) == (("cat", "dog"), [])


def test_what_systems_leave_behind_is_ignored(tmp_path: Path) -> None:
    folders(tmp_path / "pets")
    for name in (
        "__MACOSX/pets/cat/._1.png",
        ".cache/1.png",
        "pets/cat/Thumbs.db",
        "pets/cat/.DS_Store",
        "desktop.ini",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    data = opened(tmp_path)
    assert (len(data.raw.inputs), data.findings.errors, data.findings.warnings) == (40, [], [])


def test_folder_that_leads_back_to_itself(tmp_path: Path) -> None:
    folders(tmp_path)
    os.symlink(tmp_path, tmp_path / "cat" / "again", target_is_directory=True)
    os.symlink(tmp_path / "dog", tmp_path / "wolf", target_is_directory=True)  # this one does not
    assert opened(tmp_path).raw.labels.counts().tolist() == [20, 20, 20]


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folder with pictures: put the pictures into one folder for each class"):
        opened(tmp_path)
    picture(tmp_path / "1.png", 1)
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "1.heic").write_text("x")
    with pytest.raises(DataError, match=r"has no folder with pictures, but 1 picture and 1 \.heic file: put"):
        opened(tmp_path)
    folders(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("x")
    findings = opened(tmp_path).findings
    assert findings.errors == []
    assert findings.warnings[:4] == [
        f"1 picture in no class folder left out, the first {tmp_path}/1.png",
        f"the folder {tmp_path}/empty is left out: it has no picture",
        f"the folder {tmp_path}/phone is left out: it has no picture, but 1 .heic file",
        f"{tmp_path}: 1 .txt file left out: pictures are .png, .jpg, .jpeg, .jpe, .jfif, .webp, .gif, .bmp, .tif, "
        ".tiff, .avif, .pgm, .ppm, .pnm files",
    ]


@pytest.mark.parametrize(
    ("counts", "sizes", "train", "report"),
    [
        ({"train": 20, "val": 8, "test": 16}, [40, 16, 20, 12], "those of its folder train", "test"),
        ({"Training": 30, "testing": 16}, [50, 10, 20, 12], "drawn at random from its folder Training", "testing"),
        ({"train": 30, "val": 16}, [50, 10, 20, 12], "drawn at random from its folder train", "val"),
        (
            {"train": 30, "valid": 8, "dev": 8},
            [50, 10, 20, 12],
            "drawn at random from its folder train",
            "dev and valid",
        ),
    ],
)
def test_folders_of_splits_are_taken_as_given(
    tmp_path: Path, counts: dict[str, int], sizes: list[int], train: str, report: str
) -> None:
    data = pool(_split(tmp_path / "pets", **counts))
    assert data.classes == ("cat", "dog")
    parts = data.parts(0)
    assert list(map(len, parts.values())) == sizes
    pictures = f"the {2 * sum(counts.values())} pictures of pets"
    assert parts["train"].source == f"{pictures}, {train}"
    assert parts["report"].source == f"{pictures}, drawn at random from its folder {report}"
    assert opened(tmp_path / "pets").raw.form.startswith("a folder for each class, in each of the splits ")


def test_no_picture_of_the_test_folder_is_trained_on(tmp_path: Path) -> None:
    root = _split(tmp_path, train=30, test=16)
    parts = pool(root).parts(0)
    tested = {image.tobytes() for name in ("calibration", "report") for image in parts[name].inputs}
    assert tested == {np.asarray(Image.open(path)).tobytes() for path in (root / "test").rglob("*.png")}


def test_class_that_a_split_lacks(tmp_path: Path) -> None:
    root = _split(tmp_path, train=20, val=10, test=20)
    for number in range(12):
        picture(root / "train" / "bird" / f"{number}.png", 5000 + number)
    findings = opened(root).findings
    assert findings.errors == []
    assert [line for line in findings.warnings if "bird" in line] == [
        "the folder val has no picture of bird: nothing is measured on such pictures",
        "the folder test has no picture of bird: nothing is measured on such pictures",
    ]
    picture(root / "test" / "wolf" / "0.png", 6000)
    rule = "the folder train has no picture of wolf, but another split has: put some there, or delete that class"
    assert opened(root).findings.errors[0] == rule


def test_pictures_without_labels_beside_the_splits_are_left_out(tmp_path: Path) -> None:
    root = _split(tmp_path, train=30)
    for number in range(7):
        picture(root / "test" / f"{number}.png", 3000 + number)
    data = opened(root)
    assert (data.raw.form, data.findings.errors) == ("a folder for each class, in train", [])
    assert data.findings.warnings == [
        f"{root}/test is left out, with 7 pictures: it is no split with a folder for each class"
    ]


def test_class_named_train_is_a_class(tmp_path: Path) -> None:
    for number in range(40):
        picture(tmp_path / ("train", "plane")[number % 2] / "steam" / f"{number}.png", number)
    assert pool(tmp_path).classes == ("plane", "train")


def test_splits_that_cannot_be_taken(tmp_path: Path) -> None:
    root = _split(tmp_path / "a", val=10, test=10)
    with pytest.raises(DataError, match="has the splits test and val but no folder train: put the training pictures"):
        opened(root)
    root = _split(tmp_path / "b", train=20, test=20)
    with pytest.raises(
        DataError, match=r"--report cannot be used with folders of splits \(a folder for each class, in"
    ):
        opened(root, report=root / "test")
    assert len(pool(root / "train", report=root / "test").examples) == 80
