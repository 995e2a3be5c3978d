"""`demur fit`: train, certify, publish, and print the results."""

import argparse
from collections.abc import Callable
from pathlib import Path

from service.contract.errors import ModelError
from service.contract.files import make_writable
from service.inference.classifier import Classifier
from training.certification.capacity import capacity, shortages
from training.cli import data_options, fit_settings, outputs, target_options
from training.data.dataset import LabelledData
from training.data.opening import load
from training.data.splits import sizes, warnings
from training.fitting import checkpoint
from training.fitting.fit_splits import Listener
from training.fitting.joining import joined
from training.fitting.threads import use_available_cores
from training.fitting.workers import Workers
from training.job import Job, JobResult, assist, run
from training.reporting import cautions, operating_points
from training.reporting.evaluation.evaluation import evaluate
from training.reporting.files import write_fit
from training.reporting.selection import choice_in_words
from training.reporting.terminal import Progress, table

Log = Callable[[str], None]


def run_fit(options: argparse.Namespace, print_result: Log, log: Log) -> None:
    """Run the command. `print_result` prints results, `log` prints progress. Raises TrainingError.

    With several processes, the first one runs the whole job and the others help with the fit. They stay until it has
    published: where it dies before that, all of them must still be there to be restarted.
    """
    outputs.check(options)
    use_available_cores()
    with joined(options.device) as workers:
        version = workers.broadcast(lambda: _published(options.out, log) if options.if_missing else None)
        if not workers.leads and version is None:
            dataset = load(data_options.options(options, options.data), options.data_dir, _discard)
            assist(_job(options, dataset), dataset, workers)
        elif version is None:
            _lead(options, workers, print_result, log)
        elif workers.leads:
            print_result(f"{options.out} exists already, version {version}: nothing to do")
        workers.wait()


def _lead(options: argparse.Namespace, workers: Workers, print_result: Log, log: Log) -> None:
    if options.resume:
        checkpoint.require(options.checkpoint)
    if options.report_dir is not None:
        make_writable(options.report_dir)
    dataset = load(data_options.options(options, options.data), options.data_dir, log)
    job = _job(options, dataset)
    settings = job.abstention
    available = capacity(dataset, job.recipe, job.seed)
    for line in shortages(available, settings.selective_risk, settings.risk_level):
        log(f"warning: {line}")
    progress = Progress(None if job.recipe == "auto" else job.settings.epochs)
    try:
        result = run(job, dataset, Listener(progress.trying, progress.trial, progress.epoch), workers)
    finally:
        progress.close()
    manifest, points = result.manifest, result.manifest.metrics.operating_points
    print_result(table(_summary(job, result)))
    if manifest.abstention is not None:
        print_result("\n" + operating_points.as_text(manifest, points))
    of_splits = [f"warning: {line}" for line in warnings(dataset, result.splits)]
    for line in [*of_splits, *cautions.as_lines(manifest, points, manifest.warnings)]:
        print_result(f"\n{line}")
    if options.report_dir is not None:
        evaluation = evaluate(result.classifier, result.splits, result.report)
        write_fit(options.report_dir, evaluation, result.fit.history, result.seconds)
    if job.checkpoint is not None:
        checkpoint.remove(job.checkpoint)  # last: until here a restarted job continues from it


def _discard(line: str) -> None:
    """Only the first process prints."""


def _published(path: Path, log: Log) -> str | None:
    """The version of the model at `path`, or None where there is none that the service would load."""
    try:
        return Classifier.load(path).version
    except ModelError as error:
        log(f"training anew: {error}")
        return None


def _job(options: argparse.Namespace, dataset: LabelledData) -> Job:
    recipe = fit_settings.recipe(options)
    return Job(
        recipe=recipe,
        settings=fit_settings.settings(options, recipe, sizes(dataset, recipe, options.seed)["train"]),
        given=fit_settings.given(options),
        seed=options.seed,
        device=options.device,
        out=options.out,
        min_accuracy=options.min_accuracy,
        abstention=target_options.abstention(options, dataset.classes),
        checkpoint=options.checkpoint,
    )


def _summary(job: Job, result: JobResult) -> list[tuple[str, str]]:
    manifest = result.manifest
    held_out = "" if manifest.data.report_is_held_out else " (also used as tune, as in the chapter)"
    best = next(epoch for epoch in result.fit.history if epoch.number == manifest.training.best_epoch)
    return [
        ("recipe", f"{job.recipe}, seed {job.seed}"),
        *(("choice", line) for line in choice_in_words(manifest.training.selection)),
        (
            "fit",
            f"{len(result.fit.history)} epochs in {result.seconds:.1f} s on {manifest.training.device}, "
            f"kept epoch {best.number}",
        ),
        ("train", f"accuracy {best.train.accuracy:.4f}, loss {best.train.loss:.4f} (mean over the epoch)"),
        ("tune", f"accuracy {best.tune.accuracy:.4f}, loss {best.tune.loss:.4f}"),
        ("report", f"accuracy {manifest.metrics.accuracy:.4f}, loss {manifest.metrics.nll:.4f}{held_out}"),
        (
            "proof",
            f"{manifest.metrics.size} report inputs: same labels, probabilities within {result.difference:.1e}",
        ),
        ("model", f"{job.out} is {manifest.name} {result.version}, {job.out.stat().st_size} bytes"),
    ]
