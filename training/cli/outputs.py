"""Checks the files that a command is to write, before any work: nothing that it needs may be replaced."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from service.contract.files import require_apart
from training.data.sources.fetch import locate
from training.reporting.files import NAMES, SWEEP_NAMES

_INPUTS = ("model", "data", "labels", "tune", "calibration", "report", "cost_matrix", "text")
_FILES = ("out", "checkpoint")


def check(options: argparse.Namespace) -> None:
    """Check `--out`, `--checkpoint` and what goes into `--report-dir`, as far as the command has them.

    Raises PlaceError where one is a device, an input or another output.
    """
    inputs = _named(options, _INPUTS)
    if "data" in options and options.data is None:
        inputs["--data-dir"] = locate(options.data_dir)
    if options.command == "sweep":
        _check_folder("--out", options.out, SWEEP_NAMES, inputs)
        return
    files = _named(options, _FILES)
    require_apart(files, inputs)
    if getattr(options, "report_dir", None) is not None:
        _check_folder("--report-dir", options.report_dir, NAMES, inputs | files)


def _named(options: argparse.Namespace, names: Iterable[str]) -> dict[str, Path | None]:
    """The paths of the options that the command has, each by its option."""
    return {"MODEL" if n == "model" else f"--{n.replace('_', '-')}": getattr(options, n, None) for n in names}


def _check_folder(option: str, folder: Path, names: Iterable[str], taken: dict[str, Path | None]) -> None:
    # Files of these names in a folder of data are from a report before, so only single files are compared.
    apart = {name: path for name, path in taken.items() if path is None or not path.is_dir()}
    for name in names:
        require_apart({option: folder / name}, apart)
