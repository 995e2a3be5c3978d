"""Reads numpy's files: `.npy` as a memory map, and `.npz`."""

import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.contract.inputs import FeaturesInput, ImageInput
from training.data.coded import CodedColumn
from training.data.options import DataOptions
from training.data.raw import RawData
from training.data.sources import table_files
from training.errors import DataError

_NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")

_OBJECTS = (
    "{subject} holds an array of Python objects, which is a pickle and could run code, so it is not read: save text by "
    "numpy.{function}(path, {name}.astype(str)), and numbers by .astype(numpy.float32)"
)


def read_npy(options: DataOptions) -> RawData:
    """Features `[N, D]`, with the labels in a file of their own: a `.npy` `[N]`, or a column of a table.

    Raises DataError that names the file and the rule.
    """
    if options.files:
        raise DataError(
            f"--{options.files[0][0]} cannot be used with a .npy: name the split of each example in a table, by "
            "--labels TABLE --label-column NAME --split-column NAME"
        )
    if options.labels is None:
        raise DataError(
            f"{options.path} holds no labels: name the file of labels by --labels (.npy, .txt, .csv or .parquet)"
        )
    inputs = _load(options.path, mapped=True)
    kind = _features(inputs, options, str(options.path))
    labels, columns = _labels_beside(options.labels, options)
    _check_length(len(inputs), len(labels.codes), str(options.path), str(options.labels))
    form = f"features, a .npy of {inputs.dtype} as a memory map"
    return RawData(form, "row", kind, inputs, labels, first_row=0, columns=columns)


def read_npz(options: DataOptions) -> RawData:
    """`features` `[N, D]` or `images` `[N, H, W]` or `[N, H, W, 3]`, with `labels` `[N]`.

    The columns that decide the splits are further arrays `[N]` of that name. Raises DataError.
    """
    parts = [_read_one_npz(path, options) for path in options.sources]
    name = parts[0][0]
    for path, part in zip(options.sources, parts, strict=True):
        if part[0] != name or part[1]["inputs"].shape[1:] != parts[0][1]["inputs"].shape[1:]:
            raise DataError(f"{path} must hold {name} of the same shape as {options.path}")
    joined = {key: np.concatenate([part[1][key] for part in parts]) for key in parts[0][1]}
    inputs = joined.pop("inputs")
    kind: ImageInput | FeaturesInput
    if name == "features":
        kind = _features(inputs, options, f"{options.path}, features,")
        with np.errstate(over="ignore"):  # values that are too large become infinite; the scan reports them
            inputs = inputs.astype(np.float32, copy=False)
    else:
        kind = image_kind(inputs, f"{options.path}, images,")
    labels = CodedColumn.from_array(joined.pop("labels"), f"{options.path}: labels")
    sources = np.repeat(np.arange(len(parts), dtype=np.int8), [len(part[1]["labels"]) for part in parts])
    return RawData(
        form=f"{name} in a .npz",
        noun="row" if name == "features" else "picture",
        input=kind,
        inputs=inputs,
        labels=labels,
        first_row=0,
        sources=sources if options.files else None,
        columns=joined,
    )


def image_kind(images: NDArray[Any], subject: str) -> ImageInput:
    """The kind of an array of images; `subject` begins the message of DataError."""
    colour = images.ndim == 4 and images.shape[-1] == 3
    if images.dtype != np.uint8 or not (images.ndim == 3 or colour) or 0 in images.shape:
        raise DataError(
            f"{subject} is {images.dtype} {list(images.shape)}: images must be uint8 [N, H, W], or [N, H, W, 3] for RGB"
        )
    height, width = images.shape[1:3]
    return ImageInput(height=height, width=width, channels=3 if colour else 1, foreground=None)


def labels_beside(path: Path, options: DataOptions, count: int) -> tuple[CodedColumn, dict[str, Any]]:
    """The labels of `count` examples, and the columns that decide the splits, from --labels. Raises DataError."""
    labels, columns = _labels_beside(path, options)
    _check_length(count, len(labels.codes), str(options.path), str(path))
    return labels, columns


def _labels_beside(path: Path, options: DataOptions) -> tuple[CodedColumn, dict[str, Any]]:
    if table_files.is_table(path):
        table = table_files.read(path, options.csv, options.text_columns)
        table_files.require(table.column_names, options.label_column, "--label-column", path)
        for name in options.extra_columns:
            table_files.require(table.column_names, name, "a split, group or time column", path)
        columns = {name: table[name] for name in options.extra_columns}
        return CodedColumn.from_arrow(
            table[options.label_column], f"{path}, column {options.label_column!r}: labels"
        ), columns
    if options.extra_columns:
        raise DataError(
            f"{options.extra_columns[0]} is a column, but {path} has no columns: give the labels as a .csv or .parquet"
        )
    if path.suffix == ".txt":
        return CodedColumn.from_arrow(pa.array(_lines(path)), f"{path}: labels"), {}
    labels = _load(path, mapped=True)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"{path} has shape {list(labels.shape)}: labels must be [N]")
    return CodedColumn.from_array(labels, f"{path}: labels"), {}


def _lines(path: Path) -> list[str]:
    """The lines of a text file, each a label. Raises DataError."""
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise DataError(f"{path} cannot be read as lines of text: {reason}") from None
    return [line.removesuffix("\r") for line in (lines[:-1] if not lines[-1] else lines)]


def _features(inputs: NDArray[Any], options: DataOptions, subject: str) -> FeaturesInput:
    if inputs.ndim != 2 or inputs.dtype.name not in _NUMBERS or not inputs.dtype.isnative or 0 in inputs.shape:
        raise DataError(
            f"{subject} is {inputs.dtype} {list(inputs.shape)}: features must be floats of 16 to 64 bits or whole "
            "numbers, [N, D], in the byte order of this machine: convert them by .astype(numpy.float32)"
        )
    if not inputs.flags.c_contiguous:
        raise DataError(
            f"{subject} is in Fortran order: convert it by numpy.ascontiguousarray, so that rows are contiguous"
        )
    return FeaturesInput(width=inputs.shape[1], columns=None, missing=options.missing)


def _check_length(inputs: int, labels: int, subject: str, labels_subject: str) -> None:
    if inputs != labels:
        raise DataError(
            f"{subject} has {inputs} examples and {labels_subject} {labels} labels: there must be one for each example"
        )


def _load(path: Path, *, mapped: bool) -> NDArray[Any]:
    mode: Literal["r"] | None = "r" if mapped else None
    try:
        loaded = np.load(path, mmap_mode=mode, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (ValueError, EOFError, OSError) as error:
        if _is_of_objects(error):
            raise DataError(_OBJECTS.format(subject=path, function="save", name="array")) from None
        raise DataError(f"{path} is not a .npy of numbers or strings: {error}") from None
    if not isinstance(loaded, np.ndarray):
        raise DataError(f"{path} is not a .npy: it holds several arrays")
    return loaded


def _is_of_objects(error: Exception) -> bool:
    """Whether numpy refused an array of objects; it takes any other file for a pickle."""
    return "Object arrays" in str(error) or "Python objects" in str(error)


def _read_one_npz(path: Path, options: DataOptions) -> tuple[str, dict[str, NDArray[Any]]]:
    """The name of its inputs, `features` or `images`, and its arrays: `inputs`, `labels` and the columns."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            held = list(archive.files)
            name = next((key for key in ("features", "images") if key in held), None)
            missing = [key for key in ("labels", *options.extra_columns) if key not in held]
            if name is None or missing:
                expected = "features or images" if name is None else missing[0]
                raise DataError(f"{path} has no array {expected}; it has {', '.join(held) or 'none'}")
            arrays = {key: archive[key] for key in ("labels", *options.extra_columns)} | {"inputs": archive[name]}
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        if _is_of_objects(error):
            raise DataError(_OBJECTS.format(subject=path, function="savez", name="labels=labels")) from None
        raise DataError(f"{path} is not a .npz of numbers and strings: {error}") from None
    for key in ("labels", *options.extra_columns):
        if arrays[key].ndim != 1:
            raise DataError(f"{path}, {key}, has shape {list(arrays[key].shape)}: it must be [N]")
        _check_length(len(arrays["inputs"]), len(arrays[key]), f"{path}, {name},", key)
    return name, arrays
