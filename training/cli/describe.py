"""`demur describe`: what some data are, what is wrong with them, and what could be promised."""

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
from training.cli import data_options as data_arguments
from training.cli import target_options
from training.data.dataset import Labelled
from training.data.opening import Opened, class_counts, open_data
from training.data.options import DataOptions
from training.data.pool import Pool
from training.errors import DataError
from training.fitting.recipes import RECIPES, for_size
from training.job import Job, dry_run
from training.reporting import plan
from training.reporting.terminal import Progress, table

Say = Callable[[str], None]

_SHOWN = 30  # classes, and columns, of which each gets a line


def run_describe(options: argparse.Namespace, show: Say, say: Say) -> None:
    """Show what there is to say. Raises DataError, after that, where something forbids a fit.

    `say` gets what happens on the way to a plan.
    """
    asked = target_options.abstention(options, ())
    about = data_arguments.options(options, options.path)
    assert about is not None
    opened = open_data(about)
    show(table(_summary(opened)))
    show("\nclasses\n" + _indented(_classes(opened)))
    if columns := _columns(opened):
        show("\ncolumns\n" + _indented(columns))
    splits, failure = _splits(opened, options.seed, asked)
    show("\n" + "\n\n".join(f"{title}\n{_indented(lines)}" for title, lines in splits if lines))
    errors = [*opened.findings.errors, *([failure] if failure else [])]
    problems = [f"error: {line}" for line in errors] + [f"warning: {line}" for line in opened.findings.warnings]
    show("\nproblems\n" + _indented(problems or ["none found"]))
    if errors:
        raise DataError(f"{options.path}: {len(errors)} of these problems forbid a fit")
    assert opened.pool is not None  # without an error there is one
    if options.plan:
        show("\nwhat to expect\n" + _indented(_planned(opened.pool, options.seed, asked, say)))
    seed = ["--seed", str(options.seed)] if options.seed else []
    show(f"\nto train\n  {fit_command(about, [*target_options.words(options), *seed])}")


def fit_command(options: DataOptions, more: Sequence[str]) -> str:
    """The command that trains on these data as they were described, with `more` options."""
    default = DataOptions(options.path)
    words = ["demur", "fit", "--data", str(options.path)]
    for name in DataOptions.__dataclass_fields__:
        value = getattr(options, name)
        if name == "path" or value == getattr(default, name):
            continue
        words.append(f"--{name.replace('_', '-')}")
        words += map(str, value) if isinstance(value, tuple) else [str(value)]
    return shlex.join([*words, *more])


def _planned(pool: Pool, seed: int, asked: AbstentionSettings, say: Say) -> list[str]:
    """What to expect of other numbers of calibration examples, from a fit that is thrown away."""
    parts = pool.parts(seed)
    have, settings = Capacity.of_parts(parts), for_size(RECIPES["tuned"], len(parts["train"]))
    say(f"fitting {settings.epochs} epochs for the plan; nothing is published")
    progress = Progress(settings.epochs)
    try:
        tuned = dry_run(Job("tuned", settings, seed, "auto", out=Path(os.devnull)), pool, progress)
    finally:
        progress.close()
    sizes = (*planning.SIZES, have.calibration)
    found = planning.plan(tuned.scored, asked, sizes, have.calibration, tuned.largest_group, seed)
    if found is None:
        return plan.too_small(len(tuned.scored))
    apart = parts["tune"].source != parts["calibration"].source
    return plan.as_lines(found, have, asked.default_risk, apart=apart)


def _summary(opened: Opened) -> list[tuple[str, str]]:
    raw = opened.raw
    rows = [("form", raw.form), ("examples", f"{len(raw.inputs):,} {raw.one}s")]
    match raw.input:
        case ImageInput(height=height, width=width, channels=channels):
            rows.append(("input", f"images, {height}x{width}, {'grey' if channels == 1 else 'RGB'}"))
        case FeaturesInput(width=width, columns=None):
            rows.append(("input", f"features, {width} numbers, read as float32"))
        case FeaturesInput(width=width, missing=missing):
            rows.append(("input", f"features, {width} columns; a missing number: {missing}"))
    if opened.division is not None and opened.division.copies is not None:
        rows.append(("copies", opened.division.copies))
    if raw.notes:
        rows.append(("pictures", "; ".join(raw.notes)))
    return rows


def _classes(opened: Opened) -> list[str]:
    counts = class_counts(opened)
    lines = [f"{count:>9,}  {name}" for name, count in counts.items()]
    return lines[:_SHOWN] + ([f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else [])


def _columns(opened: Opened) -> list[str]:
    if not isinstance(opened.raw.input, FeaturesInput) or opened.raw.input.columns is None:
        return []
    lines = [
        f"{column.name}: " + ("numbers" if column.categories is None else _categories(column.categories))
        for column in opened.raw.input.columns
    ]
    return lines[:_SHOWN] + ([f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else [])


def _categories(names: list[str]) -> str:
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} categories ({shown})"


def _splits(opened: Opened, seed: int, asked: AbstentionSettings) -> tuple[list[tuple[str, list[str]]], str | None]:
    """The splits and what can be certified with them, titled; or what is against them."""
    if opened.pool is None:
        return [("splits", ["none before the problems are solved"])], None
    try:
        parts = opened.pool.parts(seed)
    except DataError as error:
        return [("splits", ["none before the problems are solved"])], str(error)
    promised = [*prospects(Capacity.of_parts(parts), asked.selective_risk, asked.risk_level), _gate(parts, asked)]
    return [
        ("splits", _parts(parts)),
        (f"what can be certified, at confidence {asked.confidence_level:g}", promised),
    ], None


def _parts(parts: Mapping[SplitName, Labelled]) -> list[str]:
    """A line for each split, or one for all where they are drawn from the same."""
    sources = {part.source for part in parts.values()}
    if len(sources) == 1:
        return [", ".join(f"{name} {len(part):,}" for name, part in parts.items()) + f" of {sources.pop()}"]
    return [f"{name}: {len(part):,} of {part.source}" for name, part in parts.items()]


def _gate(parts: Mapping[SplitName, Labelled], asked: AbstentionSettings) -> str:
    tune = len(parts["tune"])
    sample = samples(parts["tune"].groups, tune, largest_group_size(parts["train"].groups))[0]
    wanted, least = asked.false_alarm_rate, least_false_alarm_rate(sample, asked.confidence_level)
    if least <= wanted:
        return f"false_alarm_rate {wanted:g} can be, of the gate for strange inputs"
    grouped = "" if sample.group_count is None else f", in {sample.group_count:,} groups"
    tuned = f"{tune} examples in tune{grouped}"
    return f"false_alarm_rate {least:g}, not {wanted:g}, with {tuned}: the gate turns away no more"


def _indented(lines: list[str]) -> str:
    return "\n".join(f"  {line}".rstrip() for line in lines)
