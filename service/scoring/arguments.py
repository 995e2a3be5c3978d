"""The options of `python -m service score`, and what each may be."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from service.policy import POLICY_FIELDS, PolicyRequest

_Number = TypeVar("_Number", int, float)


def add(parser: argparse.ArgumentParser) -> None:
    """Add them to a parser."""
    parser.add_argument("input", type=Path, metavar="INPUT", help="a Parquet file, or a folder of *.parquet")
    parser.add_argument(
        "output", type=Path, metavar="OUTPUT", help="the file to write, or a folder for files of the same names"
    )
    add_asked(parser)
    parser.add_argument("--batch-size", type=positive_int, help="rows at a time (as many as take about 4 MiB)")
    parser.add_argument("--threads", type=positive_int, help="to score on (one a core)")
    parser.add_argument("--overwrite", action="store_true", help="take the place of an OUTPUT of another job")


def add_asked(parser: argparse.ArgumentParser) -> None:
    """Add those that say what is asked of a row, whoever scores it."""
    parser.add_argument("--model", type=Path, metavar="PATH", help="the model file (DEMUR_MODEL_PATH)")
    policy = parser.add_mutually_exclusive_group()
    policy.add_argument("--selective-risk", type=_open_share, metavar="R", help="answer where certified for this risk")
    policy.add_argument("--reject-cost", type=_positive, metavar="C", help="abstain where an answer would cost more")
    policy.add_argument("--threshold", type=_probability, metavar="T", help="answer where the confidence is at least T")
    policy.add_argument("--never-abstain", action="store_true", default=None, help="always answer")
    parser.add_argument("--column", metavar="NAME", help="of the embedding or the picture (the only one that fits)")
    parser.add_argument("--resize", action="store_true", help="fit pictures to the model's size")
    parser.add_argument("--probabilities", action="store_true", help="write those of all classes as well")


def policy_request(options: argparse.Namespace) -> PolicyRequest | None:
    """The policy that is asked for; None where there is none."""
    given = {name: getattr(options, name) for name in POLICY_FIELDS if getattr(options, name) is not None}
    return PolicyRequest(**given) if given else None


def positive_int(text: str) -> int:
    """A whole number from 1."""
    return _number(text, int, lambda value: value >= 1, "a whole number from 1")


def _open_share(text: str) -> float:
    return _number(text, float, lambda value: 0 < value < 1, "a number between 0 and 1")


def _probability(text: str) -> float:
    return _number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def _positive(text: str) -> float:
    return _number(text, float, lambda value: 0 < value < math.inf, "a number over 0")


def _number(text: str, kind: Callable[[str], _Number], allowed: Callable[[_Number], bool], rule: str) -> _Number:
    try:
        value = kind(text)
        if allowed(value):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not {rule}")
