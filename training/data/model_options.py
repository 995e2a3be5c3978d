"""What a published model says about its data: options that need not be typed again to measure it on them."""

import dataclasses
from typing import Any

from service.contract.inputs import FeaturesInput, ImageInput
from service.contract.manifest import Manifest
from training.data.coded import CodedColumn
from training.data.options import DataOptions
from training.data.sources import idx_folder

_ANY_NUMBER = 10**9  # the manifest's fingerprints decide which pictures were left out


def completed(options: DataOptions, manifest: Manifest) -> DataOptions:
    """The options with the model's own values wherever the user gave none.

    The manifest knows the inputs and the classes. It does not know the names of other columns, nor the rule of the
    splits: those options remain the user's.
    """
    default = DataOptions(options.path)
    known = _known(options, manifest)
    unset = {name: value for name, value in known.items() if getattr(options, name) == getattr(default, name)}
    return dataclasses.replace(options, **unset)


def _known(options: DataOptions, manifest: Manifest) -> dict[str, Any]:
    known: dict[str, Any] = {}
    labels = tuple(manifest.labels)
    if CodedColumn.from_names(labels).names != labels:  # an order of the user's own
        known["classes"] = labels
    kind = manifest.input
    if isinstance(kind, ImageInput) and _is_picture_files(options):
        known |= {"image_colour": "grey" if kind.channels == 1 else "rgb", "skip_unreadable": _ANY_NUMBER}
        if f" fit {kind.height}x{kind.width} " in manifest.data.splits["report"].source:
            known["image_size"] = (kind.height, kind.width)
    if isinstance(kind, FeaturesInput):
        known["missing"] = kind.missing
    if isinstance(kind, FeaturesInput) and kind.columns is not None:
        known["columns"] = tuple(column.name for column in kind.columns)
        known["categorical"] = tuple(column.name for column in kind.columns if column.categories is not None)
        known["numeric"] = tuple(column.name for column in kind.columns if column.categories is None)
    return known


def _is_picture_files(options: DataOptions) -> bool:
    path = options.path
    if path.is_dir():
        return not idx_folder.is_folder(path)
    return path.suffix not in (".npy", ".npz") and not idx_folder.is_file(path)
