"""The options for data of the user's own, the same for `fit`, `sweep`, `evaluate` and `describe`."""

import argparse
import dataclasses
from pathlib import Path

from service.contract.option_values import open_share, positive_int
from service.inference.csv_files import form as csv_form
from training.cli.values import Several, count
from training.data.options import (
    DEFAULT_LABEL_COLUMN,
    DEFAULT_MIN_PER_CLASS,
    DEFAULT_SHARES,
    FEW_PER_CLASS,
    DataOptions,
)
from training.errors import TrainingError

# The default of each is None, so that an option without --data can be reported.
_NAMES = [field.name for field in dataclasses.fields(DataOptions) if field.name not in ("path", "columns")]


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options, in groups of their own. The path is not among them."""
    _add_form(parser.add_argument_group("data of your own"))
    _add_splits(parser.add_argument_group("splits of data of your own"))


def options(namespace: argparse.Namespace, path: Path | None) -> DataOptions | None:
    """The options for the data at `path`; None without a path. Raises TrainingError if they are wrong."""
    given = {name: value for name in _NAMES if (value := getattr(namespace, name)) is not None}
    if path is None:
        if given:
            raise TrainingError(
                f"--{next(iter(given)).replace('_', '-')} is for data of your own: name them with --data"
            )
        return None
    for name in ("image_size", "split_shares"):
        if name in given:
            given[name] = tuple(given[name])
    if "split_shares" in given and abs(sum(given["split_shares"]) - 1) > 1e-6:
        raise TrainingError(f"--split-shares add up to {sum(given['split_shares']):g}: they must add up to 1")
    return DataOptions(path, **given)


def command_line(namespace: argparse.Namespace) -> list[str]:
    """The options that name the data, as words of a command line."""
    line = []
    for name in ("data_dir", "data", *_NAMES):
        value = getattr(namespace, name)
        if value is not None:
            values = value if isinstance(value, (tuple, list)) else [value]
            line += [f"--{name.replace('_', '-')}", *map(str, values)]
    return line


def _add_form(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--labels", type=Path, metavar="PATH", help="the labels for a .npy or an IDX file: .npy, IDX, .csv or .parquet")
    add("--label-column", metavar="NAME", help=f"the column of labels in a table ({DEFAULT_LABEL_COLUMN})")
    add("--path-column", metavar="NAME", help="the column of picture paths in a table, relative to its folder")
    add("--vector-column", metavar="NAME", help="the column of embeddings in Parquet (the only one)")
    add(
        "--classes",
        nargs="+",
        action=Several,
        metavar="NAME",
        help="the allowed labels, in order (all, sorted)",
    )
    add(
        "--min-per-class",
        type=positive_int,
        metavar="N",
        help=f"minimum examples of a class ({DEFAULT_MIN_PER_CLASS}); {FEW_PER_CLASS} without a warning",
    )
    add("--drop-rare", type=positive_int, metavar="N", help="leave out the classes with fewer than N examples")
    csv_form.add_options(group)
    add("--categorical", nargs="+", action=Several, metavar="NAME", help="columns of numbers that stand for categories")
    add(
        "--numeric",
        nargs="+",
        action=Several,
        metavar="NAME",
        help="columns of numbers, even if they look like row numbers or are written as text",
    )
    add("--ignore-columns", nargs="+", action=Several, metavar="NAME", help="columns to leave out")
    add(
        "--missing",
        choices=["refuse", "mean"],
        help="a missing value is an error (refuse); or a number is replaced by the mean, and a category has no weight "
        "(mean)",
    )
    add("--image-size", nargs=2, type=positive_int, metavar=("H", "W"), help="resize pictures to this size")
    add("--image-colour", choices=["grey", "rgb"], help="convert pictures (to the first one's)")
    add("--skip-unreadable", type=count, metavar="N", help="maximum number of unreadable pictures (0)")


def _add_splits(group: argparse._ArgumentGroup) -> None:
    shares = " ".join(map(str, DEFAULT_SHARES))
    add = group.add_argument
    names = ("TRAIN", "TUNE", "CALIBRATION", "REPORT")
    add(
        "--split-shares",
        nargs=4,
        type=open_share,
        metavar=names,
        help=f"of a random split; at most 50,000 each outside train ({shares})",
    )
    add("--split-column", metavar="NAME", help="a column of split names: train, tune, calibration or report")
    add("--group-column", metavar="NAME", help="a column, such as the patient: rows of one value stay in one split")
    add("--time-column", metavar="NAME", help="split by time: the oldest rows train, the newest report")
    add(
        "--copies",
        choices=["free", "one", "together"],
        help="equal examples: drawn independently (free, the default for tables), all but the first dropped (one, the "
        "default for pictures and embeddings), or kept in one split (together)",
    )
    for split in ("tune", "calibration", "report"):
        add(f"--{split}", type=Path, metavar="PATH", help=f"the {split} split, in a file or folder of its own")
