"""IDX files as MNIST's family has them: a folder of pairs, or one file of images with `--labels`."""

from pathlib import Path

import numpy as np

from service.contract.manifest import SplitName
from training.data.coded import Coded
from training.data.options import DataOptions
from training.data.raw import Raw
from training.data.sources.arrays import image_kind, labels_beside
from training.data.sources.idx import parse, unpacked
from training.errors import DataError

_IMAGES, _LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
_PARTS: tuple[tuple[str, tuple[SplitName, ...]], ...] = (
    ("train", ("train", "tune")),
    ("t10k", ("calibration", "report")),
)


def is_folder(path: Path) -> bool:
    """Whether `path` holds IDX files under MNIST's names."""
    return any(_find(path, f"{part}-{_IMAGES}") for part, _ in _PARTS)


def is_file(path: Path) -> bool:
    """Whether `path` is named as an IDX file is."""
    return "ubyte" in path.name or path.name.removesuffix(".gz").endswith(".idx")


def read_folder(options: DataOptions) -> Raw:
    """`train-` and, where they are there, `t10k-` images with their labels. Raises DataError.

    The two are not drawn from one population alike, so they are kept apart: train and tune are drawn from the first,
    calibration and report from the second.
    """
    images, labels, apart = [], [], []
    for part, splits in _PARTS:
        file = _find(options.path, f"{part}-{_IMAGES}")
        if file is None:
            continue
        beside = _find(options.path, f"{part}-{_LABELS}")
        if beside is None:
            raise DataError(f"{options.path / f'{part}-{_LABELS}'} is missing: {file.name} has no labels without it")
        images.append(parse(unpacked(file, ""), file))
        labels.append(parse(unpacked(beside, ""), beside))
        if len(images[-1]) != len(labels[-1]):
            raise DataError(f"{file} has {len(images[-1])} images and {beside.name} {len(labels[-1])} labels")
        if images[-1].shape[1:] != images[0].shape[1:]:
            raise DataError(f"{file} has images of {images[-1].shape[1:]}, and the first file of {images[0].shape[1:]}")
        apart.append(splits)
    if len(apart) == 1:
        apart = [("train", "tune", "calibration", "report")]
    joined = np.concatenate(images)
    return Raw(
        form="IDX files",
        one="picture",
        input=image_kind(joined, str(options.path)),
        inputs=joined,
        labels=Coded.of_array(np.concatenate(labels), f"{options.path}: labels"),
        first_row=0,
        sources=np.repeat(np.arange(len(images), dtype=np.int8), [len(part) for part in images]),
        apart=tuple(apart),
    )


def read_file(options: DataOptions) -> Raw:
    """One file of images; the labels are in the file that --labels names, IDX, `.npy` or a table. Raises DataError."""
    if options.labels is None:
        raise DataError(f"{options.path} holds no labels: name the file that does by --labels")
    images = parse(unpacked(options.path, ""), options.path)
    kind = image_kind(images, str(options.path))
    if is_file(options.labels):
        values = parse(unpacked(options.labels, ""), options.labels)
        if values.ndim != 1 or len(values) != len(images):
            raise DataError(f"{options.labels} has shape {list(values.shape)}: one label for each of {len(images)}")
        return Raw("an IDX file", "picture", kind, images, Coded.of_array(values, "labels"), first_row=0)
    labels, columns = labels_beside(options.labels, options, len(images))
    return Raw("an IDX file", "picture", kind, images, labels, first_row=0, columns=columns)


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / f"{name}.gz", folder / name) if path.is_file()), None)
