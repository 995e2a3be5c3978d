"""The options that say what is certified, the same for `fit` and `describe`."""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from service.contract.option_values import open_share
from training.certification import cost_matrix
from training.certification.settings import AbstentionSettings
from training.cli.values import Several, cost
from training.errors import TrainingError

_FIELDS = [field.name for field in dataclasses.fields(AbstentionSettings)]
_RISKS = ("selective_risk", "familywise", "confidence_level", "default_risk", "false_alarm_rate")


def add(group: argparse._ArgumentGroup) -> None:
    """Add the options for error rates, `_RISKS`."""
    add_target = partial(_add_target, group)
    add_target("selective_risk", open_share, "error rates among the answers", several=True)
    group.add_argument(
        "--familywise",
        action="store_const",
        const=True,
        help="certify that all selective risks hold together, so that one may be chosen from the results afterwards",
    )
    add_target("confidence_level", open_share, "of every certificate")
    add_target(
        "default_risk", open_share, "the selective risk of requests that name no policy; else the largest below it"
    )
    add_target(
        "false_alarm_rate", open_share, "maximum share of inputs of this kind that the gate takes for strange ones"
    )


def add_costs_and_sets(group: argparse._ArgumentGroup) -> None:
    """Add the options for costs and prediction sets."""
    add_target = partial(_add_target, group)
    add_target("reject_cost", cost, "costs of an abstention to certify Chow's rule for", several=True)
    add_target("cost_matrix", Path, "JSON file: the cost of each answer for each true label")
    add_target("set_coverage", open_share, "of prediction sets; the first is the default", several=True)


def abstention(options: argparse.Namespace, classes: Sequence[str]) -> AbstentionSettings:
    """The targets to certify. Raises TrainingError where the options contradict one another."""
    given = {name: value for name in _FIELDS if (value := getattr(options, name, None)) is not None}
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
        raise TrainingError(f"--default-risk {settings.default_risk} is not one of --selective-risk {offered}")
    # The default must never become looser than it is without options.
    strict = [risk for risk in settings.selective_risk if risk <= settings.default_risk]
    return dataclasses.replace(settings, default_risk=max(strict, default=min(settings.selective_risk)))


def words(options: argparse.Namespace) -> list[str]:
    """The options for error rates that were given, as words of a command line."""
    line = []
    for name in _RISKS:
        value = getattr(options, name)
        if value is not None:
            line.append(f"--{name.replace('_', '-')}")
            line += [] if value is True else map(str, value if isinstance(value, tuple) else (value,))
    return line


def _add_target(
    group: argparse._ArgumentGroup,
    name: str,
    kind: Callable[[str], float] | type[Path],
    text: str,
    *,
    several: bool = False,
) -> None:
    """An option for a field of AbstentionSettings, with its default."""
    value = getattr(AbstentionSettings(), name)
    shown = " ".join(map(str, value)) if several else value
    group.add_argument(
        "--" + name.replace("_", "-"),
        type=kind,
        metavar={Path: "PATH", cost: "COST"}.get(kind, "SHARE"),
        action=Several if several else "store",
        nargs="+" if several else None,
        help=f"{text} ({'1 for every error' if shown is None else shown})",
    )
