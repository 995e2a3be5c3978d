"""The `score` command: scores the files and prints a summary."""

import argparse
import sys
import time
from pathlib import Path

from service.contract.cores import available_cores
from service.contract.errors import ScoringError
from service.contract.files import require_apart
from service.inference.csv_files.form import CsvOptions, is_csv
from service.scoring.files import Source, pairs
from service.scoring.job import Job
from service.scoring.parts import tally
from service.scoring.plan import ScoringPlan
from service.scoring.progress import Progress
from service.scoring.table import Scorer
from service.scoring.unanswered import STATUS, explanation
from service.settings import Settings


def run(options: argparse.Namespace) -> int:
    """Score the files of the options; returns the exit status, 0, or `STATUS` if no row at all is answered.

    Raises DemurError; the next run continues from the parts that are complete.
    """
    start, settings = time.monotonic(), Settings.from_environment()
    files = pairs(options.input, options.output)
    for source, target in files:
        require_apart({"OUTPUT": target}, {"INPUT": source, "--model": options.model or settings.model_path})
    plan = ScoringPlan.of(options, settings)
    if (warning := plan.warning()) is not None:
        _log(warning)
    jobs = [_job(source, target, plan, options) for source, target in files]
    if not sum(job.source.rows for job in jobs):
        raise ScoringError(f"{options.input} has no rows")
    scored = _scored_rows([job for job in jobs if not job.is_finished(overwrite=options.overwrite)])
    targets = [job.target for job in jobs]
    if _print_summary(targets, scored, time.monotonic() - start, options.output):
        return 0
    _log(explanation(targets, plan.options.policy, plan.classifier.manifest.abstention))
    return STATUS


def _job(source: Path, target: Path, plan: ScoringPlan, options: argparse.Namespace) -> Job:
    if is_csv(source):
        csv = CsvOptions(options.delimiter, options.encoding, options.decimal)
        opened = Source.open_csv(source, csv, plan.classifier.manifest.input)
    else:
        opened = Source.open(source)
    try:
        scorer = Scorer(plan.classifier, plan.reader, plan.options, opened.schema)
    except ScoringError as error:
        raise ScoringError(f"{source}: {error}") from None
    for name, written in scorer.renamed.items():
        _log(f"{source}: its column {name!r} is written as {written!r}, since {name!r} is a column of the answers")
    threads = options.threads or available_cores()
    return Job(opened, target, scorer, options.batch_size or opened.batch_rows, threads)


def _scored_rows(jobs: list[Job]) -> int:
    """Run the jobs; returns how many rows they scored."""
    progress = Progress(sys.stderr, sum(job.source.rows for job in jobs))
    try:
        return sum(job.run(progress.add, progress.skip, _log) for job in jobs)
    finally:
        progress.clear()


def _print_summary(targets: list[Path], scored: int, seconds: float, output: Path) -> int:
    """Print one line; returns the number of rows that are answered."""
    tallies = [tally(target) for target in targets]
    rows, answered = sum(count for count, _ in tallies), sum(count for _, count in tallies)
    share = f"{100 * answered / rows:.1f} % of {rows:,} rows answered: {output}"
    if not scored:
        print(f"nothing to do, {share}")
    else:
        before = f", {rows - scored:,} were there" if scored < rows else ""
        print(f"{scored:,} rows in {seconds:.1f} s, {scored / seconds:,.0f} rows/s{before}; {share}")
    return answered


def _log(text: str) -> None:
    print(f"demur: {text}", file=sys.stderr)
