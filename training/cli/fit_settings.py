"""The options that say how a model is fitted, and the settings that they give."""

import argparse
import dataclasses
from typing import get_args

from service.contract.option_values import positive, positive_int
from training.cli.values import lift, not_negative, share
from training.data.options import Recipe
from training.errors import TrainingError
from training.fitting.recipes import RECIPES, Augment, FitSettings, Given, Keep, Precision, Schedule, for_size


def add(group: argparse._ArgumentGroup) -> None:
    """Add an option for every field of FitSettings but the optimizer; the recipe gives the defaults."""
    add = group.add_argument
    add(
        "--recipe",
        choices=get_args(Recipe),
        help="auto chooses weight decay, lift and augmentation on held-out rows; the others give all options below "
        "their defaults (auto; with an option that auto does not take, tuned)",
    )
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
        help="quadratic[:K]: products of the K leading principal coordinates are features too (K: 64); or none "
        "(auto: chosen; chapter, tuned: none)",
    )
    add("--augment", choices=get_args(Augment), help="shift: moves pictures by a pixel (auto: chosen; others: none)")


def recipe(options: argparse.Namespace) -> Recipe:
    """The recipe that was given; else `auto`, or `tuned` where an option is given that `auto` does not take.

    Raises TrainingError where `auto` was given with such an option.
    """
    open_options = {field.name for field in dataclasses.fields(Given)} | {"precision"}
    names = [field.name for field in dataclasses.fields(FitSettings) if field.name not in open_options]
    of_sgd = [name for name in names if getattr(options, name, None) is not None]
    given: Recipe | None = options.recipe
    if given == "auto" and of_sgd:
        option = f"--{of_sgd[0].replace('_', '-')}"
        raise TrainingError(f"{option}: the recipe auto chooses it; leave it out, or take --recipe tuned")
    return given or ("tuned" if of_sgd else "auto")


def given(options: argparse.Namespace) -> Given:
    """The settings that the recipe `auto` does not choose, because the user gave them."""
    return Given(options.weight_decay, options.lift, options.augment)


def settings(options: argparse.Namespace, recipe: Recipe, train_size: int) -> FitSettings:
    """The recipe's settings, each overridden by its option where that was given.

    For data of the user's own they are the recipe's settings for that size. The recipe `auto` has none before its
    search; it gets those of `tuned`.
    """
    names = [field.name for field in dataclasses.fields(FitSettings)]
    given = {name: value for name in names if (value := getattr(options, name, None)) is not None}
    base = RECIPES["tuned" if recipe == "auto" else recipe]
    return dataclasses.replace(base if options.data is None else for_size(base, train_size), **given)


def _of_recipe(text: str, setting: str) -> str:
    """The help of an option, with each recipe's value.

    >>> _of_recipe("passes", "epochs")
    'passes (chapter: 10, tuned: 25)'
    """
    values = ", ".join(f"{name}: {getattr(recipe, setting)}" for name, recipe in RECIPES.items())
    return f"{text} ({values})"
