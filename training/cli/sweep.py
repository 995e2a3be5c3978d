"""`demur sweep`: fits with many settings; shows a table, a picture, and the best settings as a `fit` command."""

import argparse
import shlex
from collections.abc import Callable, Sequence, Set

from service.contract.files import make_writable, publish
from training.cli import data_options, outputs, sweep_options
from training.data.opening import load
from training.data.splits import sizes
from training.errors import DivergedError
from training.fitting.recipes import TUNED, FitSettings, for_size
from training.fitting.sweep.ranking import Standing, rank
from training.fitting.sweep.runs import run
from training.fitting.threads import use_available_cores
from training.fitting.workers import find_device
from training.reporting.files import sweep_csv
from training.reporting.pictures.sheet import as_png
from training.reporting.pictures.sweep import draw, swept
from training.reporting.sweep_page import SweepReport, sweep_page
from training.reporting.terminal import SweepProgress, table

Log = Callable[[str], None]

_ROWS = 5  # of the best settings


def run_sweep(options: argparse.Namespace, print_result: Log, log: Log) -> None:
    """Run the command. `print_result` gets the result, `log` the progress. Raises TrainingError."""
    outputs.check(options)
    use_available_cores()
    make_writable(options.out)
    device = find_device(options.device)
    dataset = load(data_options.options(options, options.data), options.data_dir, log)
    train_size = sizes(dataset, "tuned", options.seed)["train"]
    grid, seeds = sweep_options.grid(options, train_size), sweep_options.seeds(options)
    progress = SweepProgress(len(seeds) * sum(settings.epochs for settings in grid))
    try:
        runs = run(dataset, grid, seeds, device, progress.epoch, progress.group)
    finally:
        progress.close()
    standings, names = rank(runs), swept(grid)
    axis, *lines = names or ["learning_rate"]
    picture, best = as_png(draw(standings, axis, lines)), standings[0]
    default = TUNED if options.data is None else for_size(TUNED, train_size)
    command = _command(options, best, default) if best.losses else None
    summary = f"{len(runs)} runs in {sum(each.seconds for each in runs):.1f} s, {len(grid)} settings with {len(seeds)}"
    summary += f" seed{'s' * (len(seeds) > 1)} each"
    tried = [(name, getattr(best.settings, name), {getattr(settings, name) for settings in grid}) for name in names]
    notes = [text for name, value, values in tried if (text := _at_end(name, value, values))]
    notes = notes if best.losses else ["every run diverged: try a lower --learning-rate"]
    rows = _rows(standings, [axis, *lines], len(seeds))
    report = SweepReport(dataset.name, f"{summary}.", rows, picture, command, notes)
    contents = {"sweep.csv": sweep_csv(runs).encode(), "sweep.png": picture, "sweep.html": sweep_page(report).encode()}
    for file, content in contents.items():
        publish(content, options.out / file, lambda _: None)
    if command is None:
        raise DivergedError(f"every run diverged: try a lower --learning-rate. {options.out / 'sweep.csv'} says when")
    print_result(f"{summary}: {options.out / 'sweep.html'}, sweep.csv and sweep.png\n")
    print_result(table(rows[: _ROWS + 1]))
    for note in notes:
        print_result(f"\nwarning: {note}")
    print_result(f"\nThe best:\n  {command}")


def _command(options: argparse.Namespace, best: Standing, default: FitSettings) -> str:
    """The `fit` command of the best settings."""
    command = ["fit", *data_options.command_line(options), *sweep_options.fit_options(best.settings, default)]
    command += [] if options.device == "auto" else ["--device", options.device]
    return f"demur {shlex.join([*command, '--seed', str(options.seed)])}"


def _at_end(name: str, value: object, tried: Set[object]) -> str | None:
    """A caution if the best value is the smallest or the largest that was tried.

    >>> _at_end("epochs", 20, {5, 10, 20})
    'the best epochs, 20, is the largest that was tried'
    """
    numbers = [number for number in tried if isinstance(number, (int, float))]
    for which, end in (("smallest", min), ("largest", max)):
        if len(numbers) > 1 and value == end(numbers):
            return f"the best {name}, {value}, is the {which} that was tried"
    return None


def _rows(standings: Sequence[Standing], names: Sequence[str], seeds: int) -> list[list[str]]:
    rows = [[*names, "tune loss", "standard error", "tune accuracy", "diverged"]]
    for standing in standings:
        settings = [str(getattr(standing.settings, name)) for name in names]
        error = "-" if standing.standard_error is None else f"{standing.standard_error:.4f}"
        loss, accuracy = (f"{standing.loss:.4f}", f"{standing.accuracy:.4f}") if standing.losses else ("-", "-")
        rows.append([*settings, loss, error, accuracy, f"{standing.diverged} of {seeds}"])
    return rows
