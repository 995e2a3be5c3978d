"""The command line of `python -m training`: its options, what each may be, and what is said where one may not."""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from service.contract.option_values import open_share, positive, positive_int, probability
from training.certification import cost_matrix
from training.certification.settings import AbstentionSettings
from training.cli import data_options as data_arguments
from training.cli import sweep_options as sweep_arguments
from training.cli.values import Several, cost, not_negative, seed, share
from training.data.sources import fashion_mnist
from training.data.sources.fetch import ENVIRONMENT
from training.errors import TrainingError
from training.fitting.recipes import RECIPES, FitSettings, for_size

_ABSTENTION = [field.name for field in dataclasses.fields(AbstentionSettings)]
_TARGETS = ("selective_risk", "familywise", "confidence_level", "default_risk", "false_alarm_rate")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    program = argparse.ArgumentParser(prog="python -m training", description="The training job.")
    commands = program.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="bring the data to this machine", allow_abbrev=False)
    fetching.add_argument("--data-dir", type=Path, help="where to put them; by default the user's cache")
    fitting = commands.add_parser("fit", help="train, prove and publish a model", allow_abbrev=False)
    _add_data_options(fitting)
    _add_own_data(fitting)
    _add_settings(fitting)
    _add_targets(fitting)
    _add_costs_and_sets(fitting)
    _add_job_options(fitting)
    sweeping = commands.add_parser("sweep", help="fit with many settings, and find the best", allow_abbrev=False)
    _add_data_options(sweeping)
    _add_own_data(sweeping)
    sweep_arguments.add(sweeping)
    evaluating = commands.add_parser("evaluate", help="measure a published model", allow_abbrev=False)
    evaluating.add_argument("model", type=Path, help="the file, as `fit` published it")
    _add_data_dir(evaluating)
    _add_own_data(evaluating)
    evaluating.add_argument(
        "--report-dir", type=Path, help="a folder for report.html, its pictures and evaluation.json"
    )
    describing = commands.add_parser("describe", help="look at data of your own before a fit", allow_abbrev=False)
    describing.add_argument("path", type=Path, help="a folder or a file, as for `fit --data`")
    data_arguments.add(describing)
    describing.add_argument("--seed", type=seed, default=0, help="of the splits (%(default)s)")
    describing.add_argument(
        "--plan",
        action="store_true",
        help="fit, publish nothing, and estimate on the tune split how much would be answered with other numbers of "
        "calibration examples",
    )
    _add_targets(describing)
    describing.set_defaults(recipe="tuned")
    _add_next_token(commands.add_parser("next-token", help="predict a text's next token", allow_abbrev=False))
    return program


def settings(options: argparse.Namespace, train_size: int) -> FitSettings:
    """The recipe's settings, each overridden by its option where that was given.

    Data of a user's own have the recipe's settings for their size.
    """
    names = [field.name for field in dataclasses.fields(FitSettings)]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    recipe = RECIPES[options.recipe]
    return dataclasses.replace(recipe if options.data is None else for_size(recipe, train_size), **given)


def abstention(options: argparse.Namespace, classes: Sequence[str]) -> AbstentionSettings:
    """What to certify. Raises TrainingError where the options do not go together."""
    given = {name: value for name in _ABSTENTION if (value := getattr(options, name, None)) is not None}
    if given and options.recipe == "chapter":
        raise TrainingError(
            f"--{next(iter(given)).replace('_', '-')}: the chapter's recipe has no calibration split, "
            "so nothing can be certified"
        )
    if path := given.get("cost_matrix"):
        given["cost_matrix"] = cost_matrix.read(path, classes)
    settings = dataclasses.replace(AbstentionSettings(), **given)
    if settings.default_risk in settings.selective_risk:
        return settings
    if "default_risk" in given:
        offered = ", ".join(map(str, settings.selective_risk))
        raise TrainingError(f"--default-risk {settings.default_risk} is none of --selective-risk {offered}")
    # Never looser than what is the default where it is certified.
    strict = [risk for risk in settings.selective_risk if risk <= settings.default_risk]
    return dataclasses.replace(settings, default_risk=max(strict, default=min(settings.selective_risk)))


def target_words(options: argparse.Namespace) -> list[str]:
    """The options of `_add_targets` that were given, as they would be typed again."""
    words = []
    for name in _TARGETS:
        value = getattr(options, name)
        if value is not None:
            words.append(f"--{name.replace('_', '-')}")
            words += [] if value is True else map(str, value if isinstance(value, tuple) else (value,))
    return words


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    names = [fashion_mnist.NAME]
    parser.add_argument("--dataset", choices=names, default=names[0], help="the data set (%(default)s)")
    _add_data_dir(parser)


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, help=f"its folder; else {ENVIRONMENT}, the usual places, a fetch")


def _add_own_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="PATH", help="data of your own: a folder or a file")
    data_arguments.add(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for every field of FitSettings; the defaults are the recipe's."""
    add = parser.add_argument
    add("--recipe", choices=list(RECIPES), default="tuned", help="the defaults of what follows (%(default)s)")
    add("--epochs", type=positive_int, help=_of_recipe("passes over the train split", "epochs"))
    add("--batch-size", type=positive_int, help=_of_recipe("examples in a minibatch", "batch_size"))
    add("--learning-rate", type=positive, help=_of_recipe("step length of an update", "learning_rate"))
    add("--momentum", type=share, help=_of_recipe("share of the previous update, from 0 to under 1", "momentum"))
    add("--weight-decay", type=not_negative, help=_of_recipe("of the weights, not the biases", "weight_decay"))
    add("--schedule", choices=["constant", "cosine"], help=_of_recipe("the learning rate's course", "schedule"))
    add("--clip-norm", type=positive, help=_of_recipe("largest norm of a gradient", "clip_norm"))
    add("--keep", choices=["last", "best"], help=_of_recipe("the last epoch, or that of lowest tune loss", "keep"))
    add("--precision", choices=["float32", "float64"], help=_of_recipe("of the fit", "precision"))


def _add_targets(parser: argparse.ArgumentParser) -> None:
    """The options that say what is certified of the answers."""
    add = partial(_add_target, parser)
    add("selective_risk", open_share, "error rates among the answered to certify", several=True)
    parser.add_argument(
        "--familywise",
        action="store_const",
        const=True,
        help="certify that all of these hold together, so that one may be chosen from the table afterwards",
    )
    add("confidence_level", open_share, "of every certificate")
    add("default_risk", open_share, "of the above, for requests that name no policy; else the largest under it")
    add("false_alarm_rate", open_share, "share of the data's own kind to take for out of distribution, at most")


def _add_costs_and_sets(parser: argparse.ArgumentParser) -> None:
    """The options for what else is certified."""
    add = partial(_add_target, parser)
    add("reject_cost", cost, "costs of an abstention to certify Chow's rule for", several=True)
    add("cost_matrix", Path, "JSON file: what each answer costs for each true label")
    add("set_coverage", open_share, "of prediction sets; the first is the default", several=True)


def _add_target(
    parser: argparse.ArgumentParser,
    name: str,
    kind: Callable[[str], float] | type[Path],
    text: str,
    *,
    several: bool = False,
) -> None:
    """An option for a field of AbstentionSettings, with its default."""
    value = getattr(AbstentionSettings(), name)
    shown = " ".join(map(str, value)) if several else value
    parser.add_argument(
        "--" + name.replace("_", "-"),
        type=kind,
        action=Several if several else "store",
        nargs="+" if several else None,
        help=f"{text} ({'1 for every error' if shown is None else shown})",
    )


def _add_job_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--seed", type=seed, default=0, help="of splits, initial weights and order (%(default)s)")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute (%(default)s)")
    add("--out", type=Path, default=Path("build/model.onnx"), help="the file to publish (%(default)s)")
    add("--if-missing", action="store_true", help="do nothing where a sound model is there already")
    add("--min-accuracy", type=probability, help="of the report split; under it nothing is published")
    add("--report-dir", type=Path, help="a folder for report.html, its pictures, metrics.json and curves.png")
    add("--checkpoint", type=Path, help="a file, written after every epoch: a fit that finds it goes on from there")
    add("--resume", action="store_true", help="stop where there is no --checkpoint to go on from, and fit nothing anew")


def _add_next_token(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--text", type=Path, metavar="FOLDER", help="a folder of text files; else the source of Python's own library")
    add("--steps", type=positive_int, help="minibatches to fit (724)")
    add("--seed", type=seed, help="of splits, initial weights and order (0)")
    add("--out", type=Path, default=Path("build/next-token.onnx"), help="the file to publish (%(default)s)")


def _of_recipe(what: str, setting: str) -> str:
    """The help of an option, with each recipe's value.

    >>> _of_recipe("passes", "epochs")
    'passes (chapter: 10, tuned: 25)'
    """
    values = ", ".join(f"{name}: {getattr(recipe, setting)}" for name, recipe in RECIPES.items())
    return f"{what} ({values})"
