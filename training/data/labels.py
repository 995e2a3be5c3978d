"""The classes: which there are, in which order, and whether there is enough of each."""

import numpy as np
from numpy.typing import NDArray

from training.data.coded import Coded
from training.data.findings import Findings
from training.data.options import DataOptions
from training.data.raw import Raw

_LONGEST = 200  # characters of a class name in the manifest


def check(raw: Raw, options: DataOptions, findings: Findings) -> Coded:
    """The labels by the classes that are asked for, or by all there are; what is wrong goes into `findings`."""
    labels = raw.labels
    missing = labels.missing()
    if len(missing):
        findings.errors.append(
            f"{len(missing)} of {len(labels.codes)} labels are missing, the first in row {raw.row(missing[0])}: "
            "every example needs one"
        )
    if options.classes is not None:
        labels = _listed(raw, options.classes, findings)
    long = [name for name in labels.names if len(name) > _LONGEST]
    if long:
        findings.errors.append(f"the class {long[0][:20]!r}... has {len(long[0])} characters: at most {_LONGEST}")
    if len(labels.names) < 2:
        found = f"one class only, {labels.names[0]!r}" if labels.names else "no class at all"
        findings.errors.append(f"there is {found}: a classifier needs two or more")
        return labels
    if len(labels.names) > max(20, len(labels.codes) // 2):
        findings.warnings.append(
            f"{len(labels.names)} classes in {len(labels.codes)} examples: is this the column of labels?"
        )
    return labels


def check_counts(labels: Coded, kept: NDArray[np.bool_] | None, options: DataOptions, findings: Findings) -> None:
    """Whether each class has enough examples; copies that are not `kept` `[N]` do not count."""
    if len(labels.names) < 2:
        return  # that is an error of its own
    counts = counts_of_kept(labels, kept)
    left_out = labels.counts() - counts
    few = [
        f"{name!r} has {count}" + (f" ({copies} copies left out)" if copies else "")
        for name, count, copies in zip(labels.names, counts.tolist(), left_out.tolist(), strict=True)
        if count < options.min_per_class
    ]
    if len(few) > 5:
        few = [*few[:5], f"and {len(few) - 5} more classes have too few"]
    if few:
        findings.errors.append(
            f"too few examples of a class: {', '.join(few)}, and each needs {options.min_per_class} (--min-per-class)"
        )


def counts_of_kept(labels: Coded, kept: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """How many examples each class has, `[C]`, of those that are `kept` `[N]`; None: of all."""
    return labels.counts() if kept is None else Coded(labels.names, labels.codes[kept]).counts()


def _listed(raw: Raw, classes: tuple[str, ...], findings: Findings) -> Coded:
    outside = [name for name in raw.labels.names if name not in classes]
    if outside:
        first = np.flatnonzero(raw.labels.codes == raw.labels.names.index(outside[0]))[0]
        findings.errors.append(
            f"the label {outside[0]!r}, in row {raw.row(first)} for one, is none of --classes {' '.join(classes)}"
            + (f"; nor are {len(outside) - 1} more" if len(outside) > 1 else "")
        )
    return raw.labels.with_names(classes)
