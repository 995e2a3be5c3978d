"""Checks the labels: which classes there are, in which order, and whether each has enough examples."""

import numpy as np
from numpy.typing import NDArray

from training.data.coded import CodedColumn
from training.data.options import FEW_PER_CLASS, DataOptions
from training.data.raw import Findings, RawData

_MAX_LENGTH = 200  # characters of a class name in the manifest


def check(raw: RawData, options: DataOptions, findings: Findings) -> CodedColumn:
    """The labels, encoded by the classes of the options or by all classes; adds problems to `findings`."""
    labels = raw.labels
    missing = labels.missing()
    if len(missing):
        findings.errors.append(
            f"{len(missing)} of {len(labels.codes)} labels are missing, the first in row {raw.row(missing[0])}: "
            "every example needs one"
        )
    if options.classes is not None:
        labels = _limited_to(options.classes, raw, findings)
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


def check_counts(labels: CodedColumn, kept: NDArray[np.bool_] | None, options: DataOptions, findings: Findings) -> None:
    """Check that each class has enough examples; copies that are not `kept` `[N]` do not count."""
    if len(labels.names) < 2:
        return  # that is an error of its own
    counts, least = counts_of_kept(labels, kept), options.min_per_class
    if too_few := _fewer_than(least, labels, counts):
        findings.errors.append(
            f"too few examples of a class: {too_few}, and each needs {least} (--min-per-class): give more, or leave "
            "the class out"
        )
    elif few := _fewer_than(FEW_PER_CLASS, labels, counts):
        findings.warnings.append(
            f"few examples of a class: {few}. With fewer than {FEW_PER_CLASS} it is hardly learnt, and some splits may "
            "have none of it: give more, or leave the class out"
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


def counts_of_kept(labels: CodedColumn, kept: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """The number of examples of each class, `[C]`, among those that are `kept` `[N]`, or among all."""
    return labels.counts() if kept is None else CodedColumn(labels.names, labels.codes[kept]).counts()


def _limited_to(classes: tuple[str, ...], raw: RawData, findings: Findings) -> CodedColumn:
    unknown = [name for name in raw.labels.names if name not in classes]
    if unknown:
        first = np.flatnonzero(raw.labels.codes == raw.labels.names.index(unknown[0]))[0]
        findings.errors.append(
            f"the label {unknown[0]!r}, first in row {raw.row(first)}, is not in --classes {' '.join(classes)}"
            + (f"; nor are {len(unknown) - 1} more" if len(unknown) > 1 else "")
        )
    return raw.labels.with_names(classes)
