"""`demur next-token`: trains, certifies and publishes a model of the next token of a text."""

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable

from tqdm import tqdm

from training.cli import outputs
from training.data.text.corpus import folder, standard_library
from training.data.text.task import Task
from training.fitting.next_token import NextTokenSettings, fit_next_token
from training.fitting.threads import use_available_cores
from training.publishing.next_token import publish_next_token, release_options
from training.publishing.release import Release
from training.reporting import cautions, operating_points
from training.reporting.terminal import table

Log = Callable[[str], None]


def run_next_token(options: argparse.Namespace, print_result: Log, log: Log) -> None:
    """Run the command. `print_result` gets the result, `log` the progress. Raises TrainingError."""
    outputs.check(options)
    use_available_cores()
    given = {"steps": options.steps, "seed": options.seed}
    settings = dataclasses.replace(NextTokenSettings(), **{n: value for n, value in given.items() if value is not None})
    task = Task.of(standard_library() if options.text is None else folder(options.text))
    publishing = release_options(options.out)
    publishing.check()
    log(f"{len(task.vocabulary):,} tokens, {len(task.train):,} training contexts: {settings.steps} steps")
    start = time.perf_counter()
    with tqdm(total=settings.steps, unit="step", disable=not sys.stderr.isatty()) as bar:

        def on_step(_: int, loss: float) -> None:
            bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
            bar.update()

        tokens, train = task.vocabulary.tokens, task.train
        model = fit_next_token(tokens, train.contexts, train.following, settings, on_step=on_step)
    seconds = time.perf_counter() - start
    released = publish_next_token(model, task, settings, publishing)
    manifest = released.classifier.manifest
    points = manifest.metrics.operating_points
    print_result(table(_summary(options, task, settings, released, seconds)))
    print_result("\n" + operating_points.as_text(manifest, points))
    for line in cautions.as_lines(manifest, points, manifest.warnings):
        print_result(f"\n{line}")


def _summary(
    options: argparse.Namespace, task: Task, settings: NextTokenSettings, released: Release, seconds: float
) -> list[tuple[str, str]]:
    classifier = released.classifier
    metrics = classifier.manifest.metrics
    return [
        ("text", f"{task.corpus.description}, {len(task.corpus.texts)} files, {len(task.vocabulary):,} tokens"),
        ("fit", f"{settings.steps} minibatches of {settings.batch_size} in {seconds:.1f} s, seed {settings.seed}"),
        ("report", f"accuracy {metrics.accuracy:.4f}, loss {metrics.nll:.4f}"),
        ("proof", f"{metrics.size} report inputs: same labels, probabilities within {released.difference:.1e}"),
        (
            "model",
            f"{options.out} is {classifier.manifest.name} {classifier.version}, {options.out.stat().st_size} bytes",
        ),
    ]
