"""The options of `score`. Imports nothing heavy, so that `--help` is answered at once."""

import argparse
from pathlib import Path

from service.contract.option_values import open_share, positive, positive_int, probability
from service.inference.csv_files import form as csv_form

SUMMARY = "answer every row of Parquet or CSV files"
USAGE = "INPUT OUTPUT [options]"
EXAMPLES = ("rows.parquet answers.parquet", "rows/ answers/ --model build/model.onnx --selective-risk 0.02")

_STATUSES = """\
exit status:
  0    everything is written, now or before
  1    not everything is written; one line says why
  2    an unknown option, an invalid value, or an OUTPUT that must not be replaced
  3    everything is written, and no row is answered; one line says why
  130  interrupted by Ctrl-C"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add all options, and the exit statuses."""
    parser.add_argument("input", type=Path, metavar="INPUT", help="a Parquet or CSV file, or a folder of them")
    parser.add_argument("output", type=Path, metavar="OUTPUT", help="a Parquet file, or a folder for them")
    add_answer_options(parser)
    csv_form.add_options(parser.add_argument_group("CSV files"))
    output = parser.add_argument_group("output")
    output.add_argument("--overwrite", action="store_true", help="replace an OUTPUT of another model, policy or input")
    speed = parser.add_argument_group("speed")
    speed.add_argument("--batch-size", type=positive_int, metavar="N", help="rows at a time (about 4 MiB of them)")
    speed.add_argument("--threads", type=positive_int, metavar="N", help="to score on (one for each core)")
    parser.epilog = f"{parser.epilog}\n\n{_STATUSES}"


def add_answer_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that decide the answers, which every way of scoring has."""
    model = parser.add_argument_group("model and policy")
    model.add_argument("--model", type=Path, metavar="PATH", help="the model file (DEMUR_MODEL_PATH)")
    policy = model.add_mutually_exclusive_group()
    policy.add_argument(
        "--selective-risk", type=open_share, metavar="R", help="keep the error rate of the answers at most R"
    )
    policy.add_argument("--reject-cost", type=positive, metavar="C", help="abstain if an answer would cost more than C")
    policy.add_argument("--threshold", type=probability, metavar="T", help="answer if the confidence is at least T")
    policy.add_argument("--never-abstain", action="store_true", default=None, help="always answer")
    rows = parser.add_argument_group("rows")
    rows.add_argument(
        "--column", metavar="NAME", help="the column of embeddings or pictures (the only one that fits the model)"
    )
    rows.add_argument("--resize", action="store_true", help="resize pictures to the model's size")
    rows.add_argument("--probabilities", action="store_true", help="also write the probabilities of all classes")
