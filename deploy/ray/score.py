"""Scores Parquet files on a Ray cluster, or on a Ray of this machine: `python -m deploy.ray.score INPUT OUTPUT`.

Every row gets the answer that `python -m service score` gives it: the same function, in actors.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# Both are read when the library is imported, and inherited by the workers.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, SaveMode

from service.contract.errors import DemurError, RequestError, ScoringError
from service.contract.option_values import positive_int
from service.inference.classifier import Classifier
from service.inference.readers.reader import reader_for
from service.scoring import arguments
from service.scoring.asking import ScoringPlan
from service.scoring.files import reason
from service.scoring.table import Scorer, ScoringOptions
from service.settings import Settings


class Answers:
    """One actor: a model, loaded and proved where it works, and the function that answers a block of rows."""

    def __init__(self, model: "ray.ObjectRef[bytes]", scoring_options: ScoringOptions, settings: Settings) -> None:
        # By its bytes: a cluster need not have a file system that all share.
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(ray.get(model))
            self._classifier = Classifier.load(path, max_bytes=settings.max_model_bytes)
        self._reader = reader_for(self._classifier.manifest.input, settings.read_limits)
        self._scoring_options = scoring_options

    def __call__(self, table: pa.Table) -> pa.Table:
        scorer = Scorer(self._classifier, self._reader, self._scoring_options, table.schema.remove_metadata())
        try:
            batches = [scorer.score(batch) for batch in table.to_batches()]
        except RequestError as error:  # some of which cannot be sent from one process to another
            raise ScoringError(f"in a batch of {table.num_rows} rows: {error}") from None
        return pa.Table.from_batches(batches, scorer.schema)


def run(options: argparse.Namespace) -> None:
    """Score what the options name. Raises DemurError."""
    settings = Settings.from_environment()
    plan = ScoringPlan.of(options, settings)
    if (warning := plan.warning()) is not None:
        print(f"demur: {warning}", file=sys.stderr)
    _check_place(Path(options.output))
    _connect(options.workers)
    DataContext.get_current().execution_options.preserve_order = True
    try:
        _score(options, settings, plan)
    except ray.exceptions.RayTaskError as error:
        # The actor's own exception is there only as text.
        found = re.search(rf"^{ScoringError.__module__}\.ScoringError: (.*)$", str(error), re.MULTILINE)
        if found is None:
            raise
        raise ScoringError(found[1]) from None
    except (OSError, pa.ArrowException) as error:
        raise ScoringError(f"{options.input}: {reason(error)}") from None


def _score(options: argparse.Namespace, settings: Settings, plan: ScoringPlan) -> None:
    rows = ray.data.read_parquet(options.input)
    schema = rows.schema()
    if schema is None:
        raise ScoringError(f"{options.input} has no rows")
    Scorer(plan.classifier, plan.reader, plan.options, schema.base_schema)  # raises before the work begins
    model = ray.put((options.model or settings.model_path).read_bytes())
    answers = rows.map_batches(
        Answers,
        fn_constructor_kwargs={"model": model, "scoring_options": plan.options, "settings": settings},
        batch_format="pyarrow",
        batch_size=options.batch_size,
        compute=ActorPoolStrategy(size=options.workers),
    )
    answers.write_parquet(options.output, mode=SaveMode.ERROR)


def _check_place(output: Path) -> None:
    """On this machine; another's file system is Ray's to look at."""
    if output.is_dir() and not any(output.iterdir()):
        output.rmdir()  # as a run that failed leaves it
    if output.exists():
        raise ScoringError(f"{output} already exists: name another folder")


def _connect(workers: int) -> None:
    if "RAY_ADDRESS" in os.environ:
        ray.init()
    else:
        # Slots, not cores: besides the actors there are tasks that read and write.
        ray.init(address="local", num_cpus=workers + 2, include_dashboard=False)


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.ray.score", allow_abbrev=False)
    parser.add_argument("input", metavar="INPUT", help="Parquet: a file or a folder, as Ray Data takes it")
    parser.add_argument("output", metavar="OUTPUT", help="a folder that is not there yet")
    arguments.add_answer_options(parser)
    parser.add_argument("--batch-size", type=positive_int, default=4096, help="rows at a time (%(default)s)")
    parser.add_argument("--workers", type=positive_int, default=2, help="actors (%(default)s)")
    try:
        run(parser.parse_args(words))
    except DemurError as error:
        print(f"demur: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
