"""The options for data of a user's own, the same for `fit`, `sweep`, `evaluate` and `describe`."""

import argparse
import dataclasses
from pathlib import Path

from service.contract.option_values import open_share, positive_int
from training.cli.values import Several, count
from training.data.options import DEFAULT_LABEL_COLUMN, DEFAULT_MIN_PER_CLASS, DEFAULT_SHARES, DataOptions
from training.errors import TrainingError

# The options' values where none was given are None, so that one that was given without --data is noticed.
_NAMES = [field.name for field in dataclasses.fields(DataOptions) if field.name != "path"]


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options, in groups of their own, but for the path itself."""
    _add_form(parser.add_argument_group("data of your own"))
    _add_splits(parser.add_argument_group("splits of data of your own"))


def options(namespace: argparse.Namespace, path: Path | None) -> DataOptions | None:
    """What was said about the data at `path`; None where there is none. Raises TrainingError."""
    given = {name: value for name in _NAMES if (value := getattr(namespace, name)) is not None}
    if path is None:
        if given:
            raise TrainingError(
                f"--{next(iter(given)).replace('_', '-')} is about data of your own: name them by --data"
            )
        return None
    for name in ("image_size", "split_shares"):
        if name in given:
            given[name] = tuple(given[name])
    if "split_shares" in given and abs(sum(given["split_shares"]) - 1) > 1e-6:
        raise TrainingError(f"--split-shares add up to {sum(given['split_shares']):g}: they must add up to 1")
    return DataOptions(path, **given)


def command_line(namespace: argparse.Namespace) -> list[str]:
    """The options that say which data these are, as they would be typed again."""
    line = []
    for name in ("data_dir", "data", *_NAMES):
        value = getattr(namespace, name)
        if value is not None:
            values = value if isinstance(value, (tuple, list)) else [value]
            line += [f"--{name.replace('_', '-')}", *map(str, values)]
    return line


def _add_form(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--labels", type=Path, metavar="PATH", help="labels of a .npy or an IDX file: .npy, IDX, .csv or .parquet")
    add("--label-column", metavar="NAME", help=f"of a table ({DEFAULT_LABEL_COLUMN})")
    add("--path-column", metavar="NAME", help="of a table: the paths of pictures, from the table's own folder")
    add("--vector-column", metavar="NAME", help="of Parquet: the embeddings (the only column of lists of floats)")
    add(
        "--classes",
        nargs="+",
        action=Several,
        metavar="NAME",
        help="the labels that may be, in their order (all, sorted)",
    )
    add(
        "--min-per-class", type=positive_int, metavar="N", help=f"examples that a class needs ({DEFAULT_MIN_PER_CLASS})"
    )
    add("--categorical", nargs="+", action=Several, metavar="NAME", help="columns of numbers that are names")
    add("--ignore-columns", nargs="+", action=Several, metavar="NAME", help="columns that the model does not see")
    add(
        "--missing",
        choices=["refuse", "mean"],
        help="a missing number is an error (refuse), or the mean takes its place",
    )
    add("--image-size", nargs=2, type=positive_int, metavar=("H", "W"), help="shrink or enlarge pictures to fit this")
    add("--image-colour", choices=["grey", "rgb"], help="make pictures this (as the first one is)")
    add("--skip-unreadable", type=count, metavar="N", help="pictures that may be unreadable (0)")


def _add_splits(group: argparse._ArgumentGroup) -> None:
    shares = " ".join(map(str, DEFAULT_SHARES))
    add = group.add_argument
    names = ("TRAIN", "TUNE", "CALIBRATION", "REPORT")
    add(
        "--split-shares",
        nargs=4,
        type=open_share,
        metavar=names,
        help=f"of a draw; all but train up to 50,000 ({shares})",
    )
    add("--split-column", metavar="NAME", help="a column that says train, tune, calibration or report")
    add("--group-column", metavar="NAME", help="a column, such as the patient, whose rows stay in one split")
    add("--time-column", metavar="NAME", help="split in order of time: train the oldest, report the newest")
    add(
        "--copies",
        choices=["free", "one", "together"],
        help="equal examples: each drawn for itself (free, the default for tables), the first alone kept (one, for "
        "pictures and embeddings), or all kept in one split (together)",
    )
    for split in ("tune", "calibration", "report"):
        add(f"--{split}", type=Path, metavar="PATH", help=f"the {split} split, in a file or folder of its own")
