"""The options of `sweep`: those of a fit, with several values each."""

import argparse
import dataclasses
from typing import get_args

from service.contract.option_values import positive, positive_int
from training.cli.values import not_negative, seed, several, share
from training.errors import TrainingError
from training.fitting.recipes import RECIPES, FitSettings, Precision, Schedule, combinations, for_size

_NAMES = [field.name for field in dataclasses.fields(FitSettings)]


def add(group: argparse._ArgumentGroup) -> None:
    """Add an option for every field of FitSettings but the lift's and the augmentation's, and those of the sweep."""
    add = group.add_argument
    add("--recipe", choices=list(RECIPES), default="tuned", help="the settings that are not given (%(default)s)")
    add("--learning-rate", type=several(positive), metavar="VALUES", help="such as 0.1, 0.1,0.2 or 1e-3:10:32")
    add("--batch-size", type=several(positive_int), metavar="VALUES", help="examples in a minibatch")
    add("--epochs", type=several(positive_int), metavar="VALUES", help="passes over the train split")
    add("--momentum", type=several(share), metavar="VALUES", help="share of the previous update, from 0 to under 1")
    add("--weight-decay", type=several(not_negative), metavar="VALUES", help="of the weights, not the biases")
    add("--clip-norm", type=several(positive), metavar="VALUES", help="maximum norm of a gradient")
    add("--schedule", type=several(_schedule), metavar="VALUES", help="constant, cosine or both")
    add("--keep", choices=["last", "best"], help="the last epoch, or the one of lowest tune loss")
    add("--precision", choices=list(get_args(Precision)), help="of the fits")
    add("--seeds", type=positive_int, default=1, metavar="N", help="how many, each for every setting (%(default)s)")
    add("--seed", type=seed, metavar="N", default=0, help="the first of them (%(default)s)")


def grid(options: argparse.Namespace, train_size: int) -> list[FitSettings]:
    """Every combination of the given values. The recipe gives the other settings.

    For data of the user's own they are the recipe's settings for that size.
    """
    given = {name: value for name in _NAMES if (value := getattr(options, name, None)) is not None}
    recipe = RECIPES[options.recipe]
    base = recipe if options.data is None else for_size(recipe, train_size)
    return combinations(base, {name: v if isinstance(v, tuple) else (v,) for name, v in given.items()})


def seeds(options: argparse.Namespace) -> list[int]:
    """Consecutive seeds. Raises TrainingError if the last is too large."""
    if options.seed + options.seeds > 2**63:
        raise TrainingError(f"--seed {options.seed} with --seeds {options.seeds}: the last must be at most 2^63 - 1")
    return list(range(options.seed, options.seed + options.seeds))


def fit_options(settings: FitSettings, default: FitSettings) -> list[str]:
    """The options that make `fit` use `settings`, given that it uses `default` without options.

    >>> from training.fitting.recipes import TUNED
    >>> fit_options(dataclasses.replace(TUNED, learning_rate=0.05, momentum=0.0), TUNED)
    ['--learning-rate', '0.05', '--momentum', '0.0']
    """
    pairs = [(name, getattr(settings, name)) for name in _NAMES if getattr(settings, name) != getattr(default, name)]
    return [text for name, value in pairs for text in (f"--{name.replace('_', '-')}", str(value))]


def _schedule(text: str) -> str:
    if text not in get_args(Schedule):
        raise argparse.ArgumentTypeError(f"{text!r} is not {' or '.join(get_args(Schedule))}")
    return text
