"""The command line of the training half: its commands and their options.

It imports nothing heavy, so that `--help` and a mistyped option are answered at once.
"""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from service.contract.commands import add_command
from service.contract.option_values import positive, positive_int, probability
from training.cli import data_options, sweep_options, target_options
from training.cli.values import lift, not_negative, seed, share
from training.data.options import DATA_DIR_VARIABLE, FASHION_MNIST
from training.fitting.recipes import RECIPES, Augment, FitSettings, Keep, Precision, Schedule, for_size

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


def settings(options: argparse.Namespace, train_size: int) -> FitSettings:
    """The recipe's settings, each overridden by its option where that was given.

    For data of the user's own they are the recipe's settings for that size.
    """
    names = [field.name for field in dataclasses.fields(FitSettings)]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    recipe = RECIPES[options.recipe]
    return dataclasses.replace(recipe if options.data is None else for_size(recipe, train_size), **given)


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
    _add_settings(fit)
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
    command.set_defaults(recipe="tuned")


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


def _add_settings(group: _Group) -> None:
    """An option for every field of FitSettings; the recipe gives the defaults."""
    add = group.add_argument
    add("--recipe", choices=list(RECIPES), default="tuned", help="the defaults of the options below (%(default)s)")
    add("--epochs", type=positive_int, metavar="N", help=_of_recipe("passes over the train split", "epochs"))
    add("--batch-size", type=positive_int, metavar="N", help=_of_recipe("examples in a minibatch", "batch_size"))
    add("--learning-rate", type=positive, metavar="RATE", help=_of_recipe("step length of an update", "learning_rate"))
    add(
        "--momentum",
        type=share,
        metavar="SHARE",
        help=_of_recipe("share of the previous update, from 0 to under 1", "momentum"),
    )
    add(
        "--weight-decay",
        type=not_negative,
        metavar="X",
        help=_of_recipe("of the weights, not the biases", "weight_decay"),
    )
    add("--schedule", choices=get_args(Schedule), help=_of_recipe("of the learning rate", "schedule"))
    add("--clip-norm", type=positive, metavar="X", help=_of_recipe("maximum norm of a gradient", "clip_norm"))
    add("--keep", choices=get_args(Keep), help=_of_recipe("the last epoch, or the one of lowest tune loss", "keep"))
    add("--precision", choices=get_args(Precision), help=_of_recipe("of the fit", "precision"))
    add(
        "--lift",
        type=lift,
        metavar="LIFT",
        help="quadratic[:K]: products of the K leading principal coordinates are features too (K: 64); or none (none)",
    )
    add("--augment", choices=get_args(Augment), help="shift: moves the pictures of a minibatch by a pixel (none)")


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


def _of_recipe(text: str, setting: str) -> str:
    """The help of an option, with each recipe's value.

    >>> _of_recipe("passes", "epochs")
    'passes (chapter: 10, tuned: 25)'
    """
    values = ", ".join(f"{name}: {getattr(recipe, setting)}" for name, recipe in RECIPES.items())
    return f"{text} ({values})"
