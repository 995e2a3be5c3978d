"""`python -m training`: reads the command line, calls the job, prints what came of it."""

import argparse
import sys
from pathlib import Path

from service.classifier import Classifier
from service.errors import ModelError
from training import arguments, report
from training.data import fashion_mnist
from training.data.fetch import fetch, locate
from training.errors import TrainingError
from training.folder import make_writable
from training.job import Job, Outcome, run

INTERRUPTED = 130  # what a shell reports of a command that Ctrl-C ended


def main(command_line: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 1 with a line that says what failed, or 130 after Ctrl-C."""
    options = arguments.parser().parse_args(command_line)
    try:
        if options.command == "fetch":
            _fetch(options.data_dir)
        else:
            _fit(options)
    except TrainingError as error:
        _say(f"training: {error}")
        return 1
    except KeyboardInterrupt:
        _say("training: interrupted")
        return INTERRUPTED
    return 0


def _fetch(data_dir: Path | None) -> None:
    """Print the folder that holds the data: the one that is named, or found, or the cache; fetch what is missing."""
    print(fetch(_say, locate(data_dir)))


def _fit(options: argparse.Namespace) -> None:
    if options.if_missing and (version := _published(options.out)):
        print(f"{options.out} is there already, version {version}: nothing to do")
        return
    if options.report_dir is not None:
        make_writable(options.report_dir)
    dataset = fashion_mnist.load(locate(options.data_dir) or fetch(_say))
    job = Job(
        recipe=options.recipe,
        settings=arguments.settings(options),
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
    print(report.table(_summary(job, outcome)))
    if options.report_dir is not None:
        report.write(options.report_dir, outcome.manifest, outcome.version, outcome.fit.history, outcome.seconds)


def _published(path: Path) -> str | None:
    """The version of the model at `path`, or None where there is none that the service would take."""
    try:
        return Classifier.load(path).version
    except ModelError as error:
        _say(f"training anew: {error}")
        return None


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


if __name__ == "__main__":
    sys.exit(main())
