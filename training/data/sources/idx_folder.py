"""IDX files of the MNIST family: a folder of pairs of files, or one file of images with `--labels`."""

from pathlib import Path

import numpy as np

from training.data.coded import CodedColumn
from training.data.options import DataOptions
from training.data.raw import ALL_SPLITS, RawData, Stratum
from training.data.sources.arrays import image_kind, labels_beside
from training.data.sources.idx import parse, unpacked
from training.errors import DataError

_IMAGES, _LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
_PARTS = (
    ("train", Stratum("training files", ("train", "tune"))),
    ("t10k", Stratum("test files (t10k)", ("calibration", "report"))),
)


def is_folder(path: Path) -> bool:
    """Whether `path` holds IDX files under MNIST's names."""
    return any(_find(path, f"{part}-{_IMAGES}") for part, _ in _PARTS)


def is_file(path: Path) -> bool:
    """Whether `path` has the name of an IDX file."""
    return "ubyte" in path.name or path.name.removesuffix(".gz").endswith(".idx")


def read_folder(options: DataOptions) -> RawData:
    """The `train-` images with their labels, and the `t10k-` images if there are any. Raises DataError.

    The two come from different populations, so they are separate strata: train and tune are drawn from the first,
    calibration and report from the second.
    """
    images, labels, strata = [], [], []
    for part, stratum in _PARTS:
        file = _find(options.path, f"{part}-{_IMAGES}")
        if file is None:
            continue
        labels_file = _find(options.path, f"{part}-{_LABELS}")
        if labels_file is None:
            raise DataError(f"{options.path / f'{part}-{_LABELS}'} is missing: put the labels of {file.name} there")
        images.append(parse(unpacked(file, ""), file))
        labels.append(parse(unpacked(labels_file, ""), labels_file))
        if len(images[-1]) != len(labels[-1]):
            raise DataError(
                f"{file} has {len(images[-1])} images and {labels_file.name} {len(labels[-1])} labels: give one each"
            )
        if images[-1].shape[1:] != images[0].shape[1:]:
            raise DataError(
                f"{file} has images of shape {images[-1].shape[1:]}, the first of {images[0].shape[1:]}: give one shape"
            )
        strata.append(stratum)
    if len(strata) == 1:
        strata = [Stratum("", ALL_SPLITS)]
    joined = np.concatenate(images)
    return RawData(
        form="IDX files",
        noun="picture",
        input=image_kind(joined, str(options.path)),
        inputs=joined,
        labels=CodedColumn.from_array(np.concatenate(labels), f"{options.path}: labels"),
        first_row=0,
        sources=np.repeat(np.arange(len(images), dtype=np.int8), [len(part) for part in images]),
        strata=tuple(strata),
    )


def read_file(options: DataOptions) -> RawData:
    """One file of images, with the labels in the file named by --labels: IDX, `.npy` or a table. Raises DataError."""
    if options.labels is None:
        raise DataError(f"{options.path} holds no labels: name the file of labels by --labels")
    images = parse(unpacked(options.path, ""), options.path)
    kind = image_kind(images, str(options.path))
    if is_file(options.labels):
        values = parse(unpacked(options.labels, ""), options.labels)
        if values.ndim != 1 or len(values) != len(images):
            raise DataError(
                f"{options.labels} has shape {list(values.shape)}: give one label for each of {len(images)} images"
            )
        return RawData("an IDX file", "picture", kind, images, CodedColumn.from_array(values, "labels"), first_row=0)
    labels, columns = labels_beside(options.labels, options, len(images))
    return RawData("an IDX file", "picture", kind, images, labels, first_row=0, columns=columns)


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
