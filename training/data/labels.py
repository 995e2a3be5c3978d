"""Checks the labels: which classes there are, in which order, and whether each has enough examples."""

import numpy as np
from numpy.typing import NDArray

from service.contract.inputs import boolean_text
from training.data.coded import CodedColumn, is_number
from training.data.options import FEW_PER_CLASS, DataOptions
from training.data.rare import counts_of_kept
from training.data.raw import Findings, RawData
from training.data.twins import name_warnings

_MAX_LENGTH = 200  # characters of a class name in the manifest
_MAX_DECIMALS = 20  # classes; more decimal numbers are a quantity


def check(raw: RawData, options: DataOptions, findings: Findings) -> CodedColumn:
    """The labels, encoded by the classes of the options or by all classes; adds problems to `findings`."""
    labels = raw.labels
    missing = labels.missing()
    if len(missing):
        findings.errors.append(
            f"{len(missing)} of {len(labels.codes)} labels are missing, the first in row {raw.row(missing[0])}: "
            "every example needs one"
        )
    _check_spelling(labels, findings)
    if options.classes is not None:
        labels = _limited_to(tuple(map(boolean_text, options.classes)), raw, findings)
    long = [name for name in labels.names if len(name) > _MAX_LENGTH]
    if long:
        findings.errors.append(
            f"the class {long[0][:20]!r}... has {len(long[0])} characters: a class name has at most {_MAX_LENGTH}"
        )
    if len(labels.names) < 2:
        count = f"only one class, {labels.names[0]!r}" if labels.names else "no class at all"
        findings.errors.append(f"there is {count}: a classifier needs two or more")
        return labels
    if len(labels.names) > max(20, len(labels.codes) // 2):
        findings.warnings.append(
            f"there are {len(labels.names)} classes in {len(labels.codes)} examples: check that this is the column of "
            "labels"
        )
    return labels


def _check_spelling(labels: CodedColumn, findings: Findings) -> None:
    """Whether the names are what the user means by a class."""
    findings.warnings += name_warnings(labels, "class", "classes")
    if labels.were_decimals:
        findings.warnings.append(
            f"the labels are whole numbers written as decimals, such as {labels.names[0]}.0: the classes are "
            f"{', '.join(labels.names[:3])}{', ...' if len(labels.names) > 3 else ''}"
        )
    numbers = [name for name in labels.names if is_number(name)]
    fractions = [name for name in numbers if float(name) % 1]
    if fractions and len(labels.names) == len(numbers) > _MAX_DECIMALS:
        findings.errors.append(
            f"the labels are {len(labels.names)} different decimal numbers, such as {fractions[0]}: a quantity, which "
            "is the target of a regression and no class; name another column by --label-column, or write a column "
            "of names for ranges of it, such as low and high"
        )


def check_counts(labels: CodedColumn, kept: NDArray[np.bool_] | None, options: DataOptions, findings: Findings) -> None:
    """Check that each class has enough examples; copies that are not `kept` `[N]` do not count."""
    if len(labels.names) < 2:
        if options.drop_rare and not any(line.startswith("there is") for line in findings.errors):
            left = f"only the class {labels.names[0]!r}" if labels.names else "no class"
            findings.errors.append(
                f"--drop-rare {options.drop_rare} leaves {left}: a classifier needs two or more; give a smaller number"
            )
        return  # otherwise that is an error of its own
    counts, least = counts_of_kept(labels, kept), options.min_per_class
    if too_few := _fewer_than(least, labels, counts):
        findings.errors.append(
            f"too few examples of a class: {too_few}, and each needs {least} (--min-per-class): add some, or leave "
            f"such classes out by --drop-rare {least}"
        )
    elif few := _fewer_than(FEW_PER_CLASS, labels, counts):
        findings.warnings.append(
            f"few examples of a class: {few}. With fewer than {FEW_PER_CLASS} it is hardly learnt, and some splits may "
            f"have none of it: add some, or leave such classes out by --drop-rare {FEW_PER_CLASS}"
        )


def _fewer_than(least: int, labels: CodedColumn, counts: NDArray[np.int64]) -> str:
    """The classes with fewer examples, in words; empty if there are none. `counts` `[C]` leave out copies."""
    left_out = labels.counts() - counts
    few = [
        f"{name!r} has {count}" + (f" ({copies} copies left out)" if copies else "")
        for name, count, copies in zip(labels.names, counts.tolist(), left_out.tolist(), strict=True)
        if count < least
    ]
    if len(few) > 5:
        few = [*few[:5], f"and {len(few) - 5} more classes have too few"]
    return ", ".join(few)


def _limited_to(classes: tuple[str, ...], raw: RawData, findings: Findings) -> CodedColumn:
    unknown = [name for name in raw.labels.names if name not in classes]
    if unknown:
        first = np.flatnonzero(raw.labels.codes == raw.labels.names.index(unknown[0]))[0]
        findings.errors.append(
            f"the label {unknown[0]!r}, first in row {raw.row(first)}, is not in --classes {' '.join(classes)}"
            + (f"; nor are {len(unknown) - 1} more" if len(unknown) > 1 else "")
        )
    return raw.labels.with_names(classes)
