"""Scores Parquet files on a Ray cluster, or on a Ray of this machine: `python -m deploy.ray.score INPUT OUTPUT`.

Every row gets the same answer as from `python -m service score`: actors run the same function.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# The libraries read these at import; workers inherit them.
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
from service.scoring.files import reason
from service.scoring.plan import ScoringPlan
from service.scoring.table import Scorer, ScoringOptions
from service.settings import Settings


class Answers:
    """An actor: a model, loaded and proved on its node, which answers blocks of rows."""

    def __init__(self, model: "ray.ObjectRef[bytes]", scoring_options: ScoringOptions, settings: Settings) -> None:
        # As bytes: a cluster may have no shared file system.
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
        except RequestError as error:  # some cannot be pickled
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
        # The actor's exception is available only as text.
        match = re.search(rf"^{ScoringError.__module__}\.ScoringError: (.*)$", str(error), re.MULTILINE)
        if match is None:
            raise
        raise ScoringError(match[1]) from None
    except (OSError, pa.ArrowException) as error:
        raise ScoringError(f"{options.input}: {reason(error)}") from None


def _score(options: argparse.Namespace, settings: Settings, plan: ScoringPlan) -> None:
    rows = ray.data.read_parquet(options.input)
    schema = rows.schema()
    if schema is None:
        raise ScoringError(f"{options.input} has no rows")
    Scorer(plan.classifier, plan.reader, plan.options, schema.base_schema)  # fails early if the columns do not fit
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
    """Check the output folder on this machine. Ray checks other file systems."""
    if output.is_dir() and not any(output.iterdir()):
        output.rmdir()  # left by a failed run
    if output.exists():
        raise ScoringError(f"{output} already exists: name another folder")


def _connect(workers: int) -> None:
    if "RAY_ADDRESS" in os.environ:
        ray.init()
    else:
        # Slots, not cores: tasks that read and write run besides the actors.
        ray.init(address="local", num_cpus=workers + 2, include_dashboard=False)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.ray.score", allow_abbrev=False)
    parser.add_argument("input", metavar="INPUT", help="Parquet file or folder, any path that Ray Data reads")
    parser.add_argument("output", metavar="OUTPUT", help="a new folder")
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
