"""numpy and IDX files, from the file to splits; a memory map is not loaded."""

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.contract.inputs import FeaturesInput, ImageInput
from tests.server import ROOT
from tests.training.data.made import columns, opened, pool, write
from training.data.splits import split
from training.errors import DataError

FEATURES = np.random.default_rng(0).normal(size=(200, 7)).astype(np.float32)
LABELS = np.arange(200) % 4


def _saved(folder: Path, features: np.ndarray, labels: np.ndarray = LABELS) -> dict[str, Any]:
    np.save(folder / "x.npy", features)
    np.save(folder / "y.npy", labels)
    return {"path": folder / "x.npy", "labels": folder / "y.npy"}


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int8, np.uint8, np.uint16, np.int64])
def test_npy_is_a_memory_map_with_labels_beside_it(tmp_path: Path, kind: type) -> None:
    features: np.ndarray = np.rint(FEATURES * 30 + 100).astype(kind)
    data = pool(**_saved(tmp_path, features))
    assert isinstance(data.examples.base, np.memmap)
    assert data.input == FeaturesInput(width=7, columns=None)
    assert data.classes == ("0", "1", "2", "3")
    splits = split(data, "tuned", 0)
    assert len(splits.train) == 100
    assert isinstance(splits.train.base, np.memmap)
    assert splits.report.inputs.dtype == np.float32
    rows = [features.tolist().index(row) for row in splits.report.inputs.tolist()]
    assert (LABELS[rows] == splits.report.labels).all()


def test_labels_may_come_from_a_table_with_more_columns(tmp_path: Path) -> None:
    _saved(tmp_path, FEATURES)
    beside = write(tmp_path / "about.parquet", columns())
    data = pool(tmp_path / "x.npy", labels=beside, group_column="patient")
    assert data.classes == ("healthy", "ill")
    assert "drawn by patient" in data.parts(0)["calibration"].source


def test_npz_of_features_and_of_images(tmp_path: Path) -> None:
    np.savez(tmp_path / "f.npz", features=FEATURES.astype(np.float64), labels=LABELS, who=np.arange(200) // 2)
    data = pool(tmp_path / "f.npz", group_column="who")
    assert data.examples.inputs.dtype == np.float32
    images = np.random.default_rng(0).integers(0, 256, (200, 4, 5, 3), dtype=np.uint8)
    np.savez(tmp_path / "i.npz", images=images, labels=np.array(["cat", "dog"])[LABELS % 2])
    data = pool(tmp_path / "i.npz")
    assert data.input == ImageInput(height=4, width=5, channels=3, foreground=None)
    assert data.classes == ("cat", "dog")


LABEL_FILES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "lines": ("\ufeffblue\r\nred \r\n01\n1\n", ("01", "1", "blue", "red ")),
    "no end of the last line": ("a\nb\nc\na", ("a", "b", "c")),
    "text": (np.array(["é", "e", "é", "e"]), ("e", "é")),
    "bytes": (np.array([text.encode() for text in ("é", "e", "é", "e")]), ("e", "é")),
    "floats": (np.array([0.0, 1.0, 2.0, 10.0]), ("0", "1", "2", "10")),
    "halves": (np.array([0.5, 1.5, 0.5, 1.5]), ("0.5", "1.5")),
    "a column": (np.array([[0], [1], [0], [1]]), ("0", "1")),
}


@pytest.mark.parametrize(("content", "names"), LABEL_FILES.values(), ids=LABEL_FILES)
def test_labels_in_a_file_of_their_own(tmp_path: Path, content: Any, names: tuple[str, ...]) -> None:
    np.save(tmp_path / "x.npy", FEATURES[:4])
    path = tmp_path / ("y.txt" if isinstance(content, str) else "y.npy")
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8", newline="")
    else:
        np.save(path, content)
    assert opened(tmp_path / "x.npy", labels=path).raw.labels.names == names


def test_unreadable_labels_are_reported_in_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", FEATURES[:4])
    (tmp_path / "y.txt").write_bytes(b"\xff\n")
    with pytest.raises(DataError, match=r"y\.txt cannot be read as lines of text: it is not UTF-8"):
        opened(tmp_path / "x.npy", labels=tmp_path / "y.txt")
    with pytest.raises(DataError, match=r"z\.txt cannot be read as lines of text: No such file"):
        opened(tmp_path / "x.npy", labels=tmp_path / "z.txt")
    np.save(tmp_path / "y.npy", np.array([b"\xff", b"a"] * 2))
    with pytest.raises(DataError, match=r"labels hold bytes that are no UTF-8 \(b'.xff'\)"):
        opened(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    np.savez(tmp_path / "x.npz", features=FEATURES[:4], labels=np.array(["a", None] * 2))
    with pytest.raises(DataError, match=r"numpy\.savez\(path, labels=labels\.astype\(str\)\)"):
        opened(tmp_path / "x.npz")


def test_large_whole_numbers_are_reported(tmp_path: Path) -> None:
    features = np.random.default_rng(0).integers(-(2**25), 0, (200, 3))
    assert (
        "there are whole numbers over 16777216, which float32 rounds"
        in opened(**_saved(tmp_path, features)).findings.warnings
    )


def _idx(path: Path, array: np.ndarray) -> None:
    path.write_bytes(struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


def _idx_folder(folder: Path, images: np.ndarray) -> None:
    """The first 200 of 300 images for training, the rest for testing."""
    labels = (np.arange(300) % 3).astype(np.uint8)
    for name, rows in {"train": slice(0, 200), "t10k": slice(200, 300)}.items():
        _idx(folder / f"{name}-images-idx3-ubyte", images[rows])
        _idx(folder / f"{name}-labels-idx1-ubyte", labels[rows])


def test_idx_folder_keeps_its_test_files_apart(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 3, 4), dtype=np.uint8)
    _idx_folder(tmp_path, images)
    parts = pool(tmp_path).parts(0)
    test = {image.tobytes() for image in images[200:]}
    for name, part in parts.items():
        assert all((image.tobytes() in test) == (name in ("calibration", "report")) for image in part.inputs)
    assert parts["calibration"].source.endswith("drawn at random from its test files (t10k)")
    single = pool(tmp_path / "train-images-idx3-ubyte", labels=tmp_path / "train-labels-idx1-ubyte")
    assert single.classes == ("0", "1", "2")


def test_test_image_that_is_a_training_image_is_left_out(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 3, 4), dtype=np.uint8)
    images[200:210] = images[:10]
    _idx_folder(tmp_path, images)
    parts = pool(tmp_path).parts(0)
    assert len(parts["train"]) + len(parts["tune"]) == 200
    assert len(parts["calibration"]) + len(parts["report"]) == 90
    assert "290 distinct pictures" in parts["report"].source
    assert (
        pool(tmp_path, copies="free")
        .parts(0)["report"]
        .source.endswith(
            "drawn at random from its test files (t10k), each picture by itself (10 of them repeat another)"
        )
    )


WRONG: dict[str, tuple[np.ndarray, np.ndarray, str]] = {
    "shape": (
        FEATURES[:, 0],
        LABELS,
        r"x\.npy is float32 \[200\]: features must be floats of .* or whole numbers, \[N, D\]",
    ),
    "type": (FEATURES.astype(complex), LABELS, "features must be floats of 16 to 64 bits or whole numbers"),
    "array of objects": (FEATURES.astype(object), LABELS, r"x\.npy holds an array of Python objects, .*float32\)"),
    "order": (np.asfortranarray(FEATURES), LABELS, "Fortran order"),
    "length": (FEATURES, LABELS[:-1], r"x\.npy has 200 examples and .*y\.npy 199 labels"),
    "objects": (FEATURES, np.array([None, "a"] * 100), r"y\.npy holds an array of Python .*numpy\.save\("),
    "times": (FEATURES, LABELS.astype("M8[D]"), r"labels are of type datetime64\[D\]: .* convert them by .astype"),
    "infinite": (
        FEATURES,
        np.where(LABELS == 3, np.inf, LABELS),
        "labels hold an infinite number: they must be text, whole numbers or booleans",
    ),
}


@pytest.mark.parametrize(("features", "labels", "message"), WRONG.values(), ids=WRONG)
def test_wrong_array_is_reported_in_one_line(
    tmp_path: Path, features: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        opened(**_saved(tmp_path, features, labels))


def test_table_of_labels_without_the_column(tmp_path: Path) -> None:
    _saved(tmp_path, FEATURES)
    beside = write(tmp_path / "about.csv", columns())
    with pytest.raises(DataError, match=r"--label-column diagnosis: .*about\.csv has no such column; it has age, "):
        opened(tmp_path / "x.npy", labels=beside, label_column="diagnosis")


def test_nan_and_infinity_are_named_by_column_and_row(tmp_path: Path) -> None:
    bad = FEATURES.copy()
    bad[11, 3], bad[12, 4] = np.nan, np.inf
    errors = opened(**_saved(tmp_path, bad)).findings.errors
    assert errors[0].startswith("column 4 has 1 values that are infinite in float32, the first in row 12:")
    assert errors[1].startswith("1 of 200 rows lack a value, the first is row 11: column 3 has 1; give --missing mean")
    bad[12, 4] = 0
    assert pool(**_saved(tmp_path, bad), missing="mean").input == FeaturesInput(width=7, missing="mean")


def test_npz_without_its_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=FEATURES, labels=LABELS)
    with pytest.raises(DataError, match=r"has no array features or images; it has x, labels"):
        opened(tmp_path / "x.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"broken\.npz is not a \.npz"):
        opened(tmp_path / "broken.npz")


LIMITED = """
import resource, sys
from pathlib import Path
from training.data.opening import open_data
from training.data.options import DataOptions
from training.data.splits import split
status = dict(line.split(":") for line in open("/proc/self/status"))
used = int(status["VmData"].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (used + 100 * 2**20,) * 2)  # private memory; a map of a file is none
path = Path(sys.argv[1])
pool = open_data(DataOptions(path, labels=path.with_name("y.npy"), min_per_class=1)).pool
splits = split(pool, "tuned", 0)
print(len(splits.train), splits.train.base.shape)
"""


def test_opening_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    rows, width = 8192, 8192  # 256 MB, almost all of it sparse
    features = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(rows, width))
    features[:, 0] = np.arange(rows)  # otherwise all rows are copies of one and cannot be divided
    features.flush()
    np.save(tmp_path / "y.npy", np.arange(rows) % 2)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "x.npy")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"({rows}, {width})\n")
