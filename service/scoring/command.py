"""`python -m service score`: what it does in which order, and what a person sees of it."""

import argparse
import os
import sys
import time
from pathlib import Path

from service.contract.errors import ScoringError
from service.scoring.asking import ScoringPlan
from service.scoring.files import Source, pairs
from service.scoring.job import Job
from service.scoring.parts import tally
from service.scoring.progress import Progress
from service.scoring.table import Scorer
from service.settings import Settings


def run(options: argparse.Namespace) -> None:
    """Score what the options name. Raises DemurError; what is whole by then is kept for the next run."""
    start = time.monotonic()
    asking = ScoringPlan.of(options, Settings.from_environment())
    if (warning := asking.warning()) is not None:
        _say(warning)
    jobs = [_job(source, target, asking, options) for source, target in pairs(options.input, options.output)]
    total = sum(job.source.rows for job in jobs)
    if not total:
        raise ScoringError(f"{options.input} has no rows")
    made = _made([job for job in jobs if not job.is_finished(overwrite=options.overwrite)])
    _summarise([job.target for job in jobs], made, time.monotonic() - start, options.output)


def _job(source: Path, target: Path, asking: ScoringPlan, options: argparse.Namespace) -> Job:
    opened = Source.open(source)
    try:
        scorer = Scorer(asking.classifier, asking.reader, asking.asked, opened.schema)
    except ScoringError as error:
        raise ScoringError(f"{source}: {error}") from None
    threads = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return Job(opened, target, scorer, options.batch_size or opened.batch_rows, options.threads or threads)


def _made(jobs: list[Job]) -> int:
    """Do the jobs, and return how many rows were scored for it."""
    progress = Progress(sys.stderr, sum(job.source.rows for job in jobs))
    try:
        return sum(job.run(progress.add, progress.skip, _say) for job in jobs)
    finally:
        progress.clear()


def _summarise(targets: list[Path], made: int, seconds: float, output: Path) -> None:
    tallies = [tally(target) for target in targets]
    rows, answered = (sum(column) for column in zip(*tallies, strict=True))
    share = f"{100 * answered / rows:.1f} % of {rows:,} rows answered: {output}"
    if not made:
        print(f"nothing to do, {share}")
        return
    before = f", {rows - made:,} were there" if made < rows else ""
    print(f"{made:,} rows in {seconds:.1f} s, {made / seconds:,.0f} rows/s{before}; {share}")


def _say(text: str) -> None:
    print(f"demur: {text}", file=sys.stderr)
