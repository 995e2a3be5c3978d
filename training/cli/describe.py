"""`demur describe`: the form of the data, their problems, and what can be certified with them."""

import argparse
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from service.contract.inputs import FeaturesInput, ImageInput
from service.contract.manifest import SplitName
from training.certification import planning
from training.certification.capacity import Capacity, prospects
from training.certification.gate import least_false_alarm_rate
from training.certification.samples import largest_group_size, samples
from training.certification.settings import AbstentionSettings
from training.cli import data_options, target_options
from training.data.dataset import Labelled
from training.data.opening import OpenedData, class_counts, open_data
from training.data.options import DataOptions
from training.data.pool import Pool
from training.errors import DataError
from training.fitting.fit_splits import Listener
from training.fitting.recipes import RECIPES, for_size
from training.job import Job, dry_run
from training.reporting import plan
from training.reporting.terminal import Progress, table

Log = Callable[[str], None]

_MAX_LINES = 30  # of classes, and of columns


def run_describe(options: argparse.Namespace, print_result: Log, log: Log) -> None:
    """Describe the data. Raises DataError at the end if a problem forbids a fit. `log` gets the progress of a plan."""
    targets = target_options.abstention(options, ())
    data = data_options.options(options, options.path)
    assert data is not None
    opened = open_data(data)
    print_result(table(_summary(opened)))
    print_result("\nclasses\n" + _indented(_classes(opened)))
    if columns := _columns(opened):
        print_result("\ncolumns\n" + _indented(columns))
    if left_out := opened.findings.left_out:
        print_result("\nleft out\n" + _indented(left_out))
    splits, failure = _splits(opened, options.seed, targets)
    print_result("\n" + "\n\n".join(f"{title}\n{_indented(lines)}" for title, lines in splits if lines))
    errors = [*opened.findings.errors, *([failure] if failure else [])]
    problems = [f"error: {line}" for line in errors] + [f"warning: {line}" for line in opened.findings.warnings]
    print_result("\nproblems\n" + _indented(problems or ["none found"]))
    if errors:
        raise DataError(f"{options.path}: {len(errors)} of these problems forbid{'' if len(errors) > 1 else 's'} a fit")
    assert opened.pool is not None  # without an error there is one
    if options.plan:
        print_result("\nwhat to expect\n" + _indented(_planned(opened.pool, options.seed, targets, log)))
    seed = ["--seed", str(options.seed)] if options.seed else []
    out = ["--out", f"build/{opened.pool.name}.onnx"]
    print_result(f"\nto train\n  {fit_command(data, [*target_options.words(options), *seed, *out])}")


def fit_command(options: DataOptions, more: Sequence[str]) -> str:
    """The command that trains on the data as described, with `more` options."""
    default = DataOptions(options.path)
    words = ["demur", "fit", "--data", str(options.path)]
    for name in DataOptions.__dataclass_fields__:
        value = getattr(options, name)
        if name == "path" or value == getattr(default, name):
            continue
        words.append(f"--{name.replace('_', '-')}")
        words += map(str, value) if isinstance(value, tuple) else [str(value)]
    return shlex.join([*words, *more])


def _planned(pool: Pool, seed: int, targets: AbstentionSettings, log: Log) -> list[str]:
    """The expected coverage for other numbers of calibration examples, estimated by a fit that is not published."""
    parts = pool.parts(seed)
    have, settings = Capacity.of_parts(parts), for_size(RECIPES["tuned"], len(parts["train"]))
    log("fitting for the plan; nothing is published")
    progress = Progress(None)
    try:
        job = Job("auto", settings, seed, "auto", out=Path(os.devnull))
        tuned = dry_run(job, pool, Listener(progress.trying, progress.trial, progress.epoch))
    finally:
        progress.close()
    sizes = (*planning.SIZES, have.calibration)
    estimates = planning.plan(tuned.scored, targets, sizes, have.calibration, tuned.largest_group, seed)
    if estimates is None:
        return plan.too_small(len(tuned.scored))
    apart = parts["tune"].source != parts["calibration"].source
    return plan.as_lines(estimates, have, targets.default_risk, apart=apart)


def _summary(opened: OpenedData) -> list[tuple[str, str]]:
    raw = opened.raw
    rows = [("form", raw.form), ("examples", f"{len(raw.inputs):,} {raw.noun}s")]
    match raw.input:
        case ImageInput(height=height, width=width, channels=channels):
            rows.append(("input", f"images, {height}x{width}, {'grey' if channels == 1 else 'RGB'}"))
        case FeaturesInput(width=width, columns=None):
            rows.append(("input", f"features, {width} numbers, read as float32"))
        case FeaturesInput(width=width, missing=missing):
            rows.append(("input", f"features, {width} columns; a missing number: {missing}"))
    if opened.division is not None and opened.division.copies is not None:
        rows.append(("copies", opened.division.copies))
    if opened.division is not None and opened.division.rare is not None:
        rows.append(("classes", opened.division.rare))
    if raw.notes:
        rows.append(("pictures", "; ".join(raw.notes)))
    return rows


def _classes(opened: OpenedData) -> list[str]:
    counts = class_counts(opened)
    lines = [f"{count:>9,}  {name}" for name, count in counts.items()]
    return lines[:_MAX_LINES] + ([f"and {len(lines) - _MAX_LINES} more"] if len(lines) > _MAX_LINES else [])


def _columns(opened: OpenedData) -> list[str]:
    if not isinstance(opened.raw.input, FeaturesInput) or opened.raw.input.columns is None:
        return []
    lines = [
        f"{column.name}: " + ("numbers" if column.categories is None else _categories(column.categories))
        for column in opened.raw.input.columns
    ]
    return lines[:_MAX_LINES] + ([f"and {len(lines) - _MAX_LINES} more"] if len(lines) > _MAX_LINES else [])


def _categories(names: list[str]) -> str:
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} categories ({shown})"


def _splits(
    opened: OpenedData, seed: int, targets: AbstentionSettings
) -> tuple[list[tuple[str, list[str]]], str | None]:
    """Titled lines on the splits and what can be certified with them, and why there are none.

    Adds what to know of the splits to the findings.
    """
    if opened.pool is None:
        return [("splits", ["none until the problems are solved"])], None
    try:
        parts = opened.pool.parts(seed)
    except DataError as error:
        return [("splits", ["none until the problems are solved"])], str(error)
    opened.findings.warnings += opened.pool.warnings(parts)
    possible = [*prospects(Capacity.of_parts(parts), targets.selective_risk, targets.risk_level), _gate(parts, targets)]
    return [
        ("splits", _parts(parts)),
        (f"what can be certified, at confidence {targets.confidence_level:g}", possible),
    ], None


def _parts(parts: Mapping[SplitName, Labelled]) -> list[str]:
    """A line for each split, or one line if all are drawn from one source."""
    sources = {part.source for part in parts.values()}
    if len(sources) == 1:
        return [", ".join(f"{name} {len(part):,}" for name, part in parts.items()) + f" of {sources.pop()}"]
    return [f"{name}: {len(part):,} of {part.source}" for name, part in parts.items()]


def _gate(parts: Mapping[SplitName, Labelled], targets: AbstentionSettings) -> str:
    tune = len(parts["tune"])
    sample = samples(parts["tune"].groups, tune, largest_group_size(parts["train"].groups))[0]
    target, lowest = targets.false_alarm_rate, least_false_alarm_rate(sample, targets.confidence_level)
    if lowest <= target:
        return f"false_alarm_rate {target:g} can be, for the out-of-distribution gate"
    grouped = "" if sample.group_count is None else f", in {sample.group_count:,} groups"
    return f"false_alarm_rate {lowest:g}, not {target:g}: the lowest with {tune} examples in tune{grouped}"


def _indented(lines: list[str]) -> str:
    return "\n".join(f"  {line}".rstrip() for line in lines)
