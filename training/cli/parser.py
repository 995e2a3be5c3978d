"""The command line of the training half: its commands and their options.

It imports nothing heavy, so that `--help` and a mistyped option are answered at once.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from service.contract.commands import add_command
from service.contract.option_values import positive_int, probability
from training.cli import data_options, fit_settings, sweep_options, target_options
from training.cli.values import seed
from training.data.options import DATA_DIR_VARIABLE, FASHION_MNIST

PROGRAM = "python -m training"
_Group = argparse._ArgumentGroup  # options under a heading of the help
_AddCommand = Callable[[str, str, str, Sequence[str]], argparse.ArgumentParser]


def parser(program: str = PROGRAM) -> argparse.ArgumentParser:
    """The parser of all commands. `program` is what the user typed before the command."""
    top = argparse.ArgumentParser(prog=program, description="Trains, certifies and publishes models.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for declare in (_fit, _describe, _evaluate, _sweep, _next_token, _fetch):
        declare(partial(add_command, commands))
    return top


def _fit(add_command: _AddCommand) -> None:
    command = add_command(
        "fit",
        "train, certify and publish a model",
        "[options]",
        [
            "--out build/model.onnx --report-dir build",
            "--data plants.csv --label-column species --selective-risk 0.02 0.05",
        ],
    )
    _add_data(command)
    fit = command.add_argument_group("fit")
    fit_settings.add(fit)
    _add_seed(fit, "of splits, initial weights and order")
    _add_device(fit)
    certified = command.add_argument_group("what is certified")
    target_options.add(certified)
    target_options.add_costs_and_sets(certified)
    _add_output(command.add_argument_group("output"))
    add = command.add_argument_group("interruptions").add_argument
    add("--checkpoint", type=Path, metavar="PATH", help="written after every epoch; a fit that finds it continues it")
    add("--resume", action="store_true", help="fail if there is no --checkpoint to continue")


def _sweep(add_command: _AddCommand) -> None:
    command = add_command(
        "sweep",
        "fit with many settings, and find the best",
        "[options]",
        [
            "--learning-rate 0.05,0.1,0.2 --momentum 0,0.9",
            "--data plants.csv --label-column species --learning-rate 1e-3:10:8 --seeds 3",
        ],
    )
    _add_data(command)
    fits = command.add_argument_group("fits")
    sweep_options.add(fits)
    _add_device(fits)
    add = command.add_argument_group("output").add_argument
    add(
        "--out",
        type=Path,
        metavar="PATH",
        default=Path("build/sweep"),
        help="a folder for sweep.html, sweep.csv and sweep.png (%(default)s)",
    )


def _evaluate(add_command: _AddCommand) -> None:
    command = add_command(
        "evaluate",
        "measure a published model on its report split",
        "MODEL [options]",
        ["build/model.onnx", "build/plants.onnx --data plants.csv --label-column species --report-dir build"],
    )
    command.add_argument("model", type=Path, metavar="MODEL", help="a file that `fit` published")
    _add_data(command, choose=False)
    add = command.add_argument_group("output").add_argument
    add("--report-dir", type=Path, metavar="FOLDER", help="for report.html, its pictures and evaluation.json")


def _describe(add_command: _AddCommand) -> None:
    command = add_command(
        "describe",
        "check data of your own, and what can be certified with them",
        "PATH [options]",
        ["photos/", "plants.csv --label-column species --plan"],
    )
    command.add_argument("path", type=Path, metavar="PATH", help="a folder or a file, as for `fit --data`")
    data_options.add(command)
    certified = command.add_argument_group("what is certified")
    target_options.add(certified)
    certified.add_argument(
        "--plan",
        action="store_true",
        help="also fit, publish nothing, and estimate coverage for other numbers of calibration examples",
    )
    _add_seed(command.add_argument_group("fit"), "of the splits")
    command.set_defaults(recipe="auto")


def _next_token(add_command: _AddCommand) -> None:
    command = add_command(
        "next-token",
        "train a model that predicts a text's next token",
        "[options]",
        ["--text books --out build/books.onnx", "--steps 2000 --seed 1"],
    )
    add = command.add_argument_group("data").add_argument
    add("--text", type=Path, metavar="FOLDER", help="a folder of text files (the source of Python's standard library)")
    add = command.add_argument_group("fit").add_argument
    add("--steps", type=positive_int, metavar="N", help="minibatches to fit (724)")
    add("--seed", type=seed, metavar="N", help="of splits, initial weights and order (0)")
    add = command.add_argument_group("output").add_argument
    add(
        "--out",
        type=Path,
        metavar="PATH",
        default=Path("build/next-token.onnx"),
        help="the file to publish (%(default)s)",
    )


def _fetch(add_command: _AddCommand) -> None:
    command = add_command(
        "fetch", f"find or download {FASHION_MNIST}, and print its folder", "[options]", ["", "--data-dir data"]
    )
    command.add_argument("--data-dir", type=Path, metavar="FOLDER", help="to fill (the user's cache)")


def _add_data(command: argparse.ArgumentParser, *, choose: bool = True) -> None:
    """The data set; with `choose`, also by its name."""
    add = command.add_argument_group("data").add_argument
    if choose:
        add("--dataset", choices=[FASHION_MNIST], default=FASHION_MNIST, help="without --data (%(default)s)")
    add(
        "--data-dir",
        type=Path,
        metavar="FOLDER",
        help=f"the folder of {FASHION_MNIST} ({DATA_DIR_VARIABLE}, the usual places, a fetch)",
    )
    add("--data", type=Path, metavar="PATH", help="data of your own: a folder or a file")
    data_options.add(command)


def _add_seed(group: _Group, text: str) -> None:
    group.add_argument("--seed", type=seed, metavar="N", default=0, help=f"{text} (%(default)s)")


def _add_device(group: _Group) -> None:
    group.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="to compute on (%(default)s)")


def _add_output(group: _Group) -> None:
    add = group.add_argument
    add("--out", type=Path, metavar="PATH", default=Path("build/model.onnx"), help="the file to publish (%(default)s)")
    add("--if-missing", action="store_true", help="do nothing if a sound model is there already")
    add("--min-accuracy", type=probability, metavar="SHARE", help="of the report split; below it nothing is published")
    add("--report-dir", type=Path, metavar="FOLDER", help="for report.html, its pictures, metrics.json and curves.png")
