"""The options of `python -m service score`, and what each may be."""

import argparse
from pathlib import Path

from service.contract.option_values import open_share, positive, positive_int, probability
from service.contract.policy import POLICY_FIELDS, PolicyRequest


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
    policy.add_argument("--selective-risk", type=open_share, metavar="R", help="answer where certified for this risk")
    policy.add_argument("--reject-cost", type=positive, metavar="C", help="abstain where an answer would cost more")
    policy.add_argument("--threshold", type=probability, metavar="T", help="answer where the confidence is at least T")
    policy.add_argument("--never-abstain", action="store_true", default=None, help="always answer")
    parser.add_argument("--column", metavar="NAME", help="of the embedding or the picture (the only one that fits)")
    parser.add_argument("--resize", action="store_true", help="fit pictures to the model's size")
    parser.add_argument("--probabilities", action="store_true", help="write those of all classes as well")


def policy_request(options: argparse.Namespace) -> PolicyRequest | None:
    """The policy that is asked for; None where there is none."""
    given = {name: getattr(options, name) for name in POLICY_FIELDS if getattr(options, name) is not None}
    return PolicyRequest(**given) if given else None
