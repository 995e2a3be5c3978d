"""`python -m training`: reads the command line, calls the job, prints what came of it."""

import argparse
import dataclasses
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from service.classifier import Classifier
from service.errors import ModelError
from training import report
from training.data import fashion_mnist
from training.data.fetch import ENVIRONMENT, fetch, locate
from training.errors import TrainingError
from training.job import Job, Outcome, run
from training.recipes import RECIPES, FitSettings

Number = TypeVar("Number", int, float)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, or 1 when nothing was published."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "fetch":
            _fetch(options.data_dir)
        else:
            _fit(options)
    except TrainingError as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    return 0


def _fetch(data_dir: Path | None) -> None:
    """Print the folder that holds the data; bring them there, or into the cache, where there is none yet."""
    named = data_dir or os.environ.get(ENVIRONMENT)
    print(fetch(_say, Path(named)) if named else locate(None) or fetch(_say))


def _fit(options: argparse.Namespace) -> None:
    if options.if_missing and (version := _published(options.out)):
        print(f"{options.out} is there already, version {version}: nothing to do")
        return
    dataset = fashion_mnist.load(locate(options.data_dir) or fetch(_say))
    job = Job(
        recipe=options.recipe,
        settings=_settings(options),
        seed=options.seed,
        device=options.device,
        out=options.out,
        min_accuracy=options.min_accuracy,
    )
    progress = report.Progress(job.settings.epochs)
    try:
        outcome = run(job, dataset, progress)
    finally:
        progress.close()
    if options.report_dir is not None:
        report.write(options.report_dir, outcome.manifest, outcome.version, outcome.fit.history, outcome.seconds)
    print(report.table(_summary(job, outcome)))


def _published(path: Path) -> str | None:
    """The version of the model at `path`, or None where there is none that the service would take."""
    try:
        return Classifier.load(path).version
    except ModelError as error:
        _say(f"training anew: {error}")
        return None


def _settings(options: argparse.Namespace) -> FitSettings:
    """The recipe's settings, each overridden by its option where that was given."""
    names = [field.name for field in dataclasses.fields(FitSettings)]
    given = {name: value for name in names if (value := getattr(options, name, None)) is not None}
    return dataclasses.replace(RECIPES[options.recipe], **given)


def _summary(job: Job, outcome: Outcome) -> list[tuple[str, str]]:
    manifest = outcome.manifest
    held_out = "" if manifest.data.report_is_held_out else " (also used as tune, as in the chapter)"
    best = next(epoch for epoch in outcome.fit.history if epoch.number == manifest.training.best_epoch)
    return [
        ("recipe", f"{job.recipe}, seed {job.seed}"),
        (
            "fit",
            f"{job.settings.epochs} epochs in {outcome.seconds:.1f} s on {manifest.training.device}, "
            f"kept epoch {best.number}",
        ),
        ("train", f"accuracy {best.train.accuracy:.4f}, loss {best.train.loss:.4f} (mean over the epoch)"),
        ("tune", f"accuracy {best.tune.accuracy:.4f}, loss {best.tune.loss:.4f}"),
        ("report", f"accuracy {manifest.metrics.accuracy:.4f}, loss {manifest.metrics.nll:.4f}{held_out}"),
        (
            "proof",
            f"{manifest.metrics.size} report images: same labels, probabilities within {outcome.difference:.1e}",
        ),
        ("model", f"{job.out} is {manifest.name} {outcome.version}, {job.out.stat().st_size} bytes"),
    ]


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="The training job.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="bring the data to this machine", allow_abbrev=False)
    fetching.add_argument("--data-dir", type=Path, help="where to put them; by default the user's cache")
    fitting = commands.add_parser(
        "fit",
        help="train, prove and publish a model",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_fit_options(fitting)
    return parser


def _add_fit_options(parser: argparse.ArgumentParser) -> None:
    datasets = [fashion_mnist.NAME]
    parser.add_argument("--dataset", choices=datasets, default=fashion_mnist.NAME, help="the data set")
    parser.add_argument("--data-dir", type=Path, help=f"its folder; else {ENVIRONMENT}, the usual places, a fetch")
    parser.add_argument("--recipe", choices=list(RECIPES), default="tuned", help="the defaults of what follows")
    parser.add_argument("--epochs", type=_positive_int, help="passes over the train split")
    parser.add_argument("--batch-size", type=_positive_int, help="examples in a minibatch")
    parser.add_argument("--learning-rate", type=_positive, help="step length of an update")
    parser.add_argument("--momentum", type=_share, help="of the previous update, from 0 to under 1")
    parser.add_argument("--weight-decay", type=_not_negative, help="of the weights, not the biases")
    parser.add_argument("--schedule", choices=["constant", "cosine"], help="the learning rate's course")
    parser.add_argument("--clip-norm", type=_positive, help="largest norm of a gradient")
    parser.add_argument("--keep", choices=["last", "best"], help="the last epoch, or the one of lowest tune loss")
    parser.add_argument("--seed", type=_seed, default=0, help="of splits, initial weights and order")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute")
    parser.add_argument("--out", type=Path, default=Path("build/model.onnx"), help="the file to publish")
    parser.add_argument("--if-missing", action="store_true", help="do nothing where a sound model is there already")
    parser.add_argument("--min-accuracy", type=_probability, help="of the report split; under it nothing is published")
    parser.add_argument("--report-dir", type=Path, help="a folder for metrics.json and curves.png")


def _positive_int(text: str) -> int:
    return _number(text, int, lambda value: value >= 1, "a whole number from 1")


def _seed(text: str) -> int:
    return _number(text, int, lambda value: 0 <= value < 2**63, "a whole number from 0 to 2^63 - 1")


def _positive(text: str) -> float:
    return _number(text, float, lambda value: 0 < value < math.inf, "a number over 0")


def _not_negative(text: str) -> float:
    return _number(text, float, lambda value: 0 <= value < math.inf, "a number from 0")


def _share(text: str) -> float:
    return _number(text, float, lambda value: 0 <= value < 1, "a number from 0 to under 1")


def _probability(text: str) -> float:
    return _number(text, float, lambda value: 0 <= value <= 1, "a number from 0 to 1")


def _number(text: str, kind: Callable[[str], Number], allowed: Callable[[Number], bool], rule: str) -> Number:
    try:
        value = kind(text)
        if allowed(value):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not {rule}")


if __name__ == "__main__":
    sys.exit(main())
