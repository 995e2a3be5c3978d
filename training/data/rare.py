"""Classes with too few examples, whose examples `--drop-rare` leaves out of every split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.coded import CodedColumn


@dataclass(frozen=True, slots=True)
class RareClasses:
    """The rare classes of N examples."""

    names: tuple[str, ...]
    minimum: int  # each has fewer examples
    mask: NDArray[np.bool_]  # [N], True for their examples, copies included

    @classmethod
    def find(cls, labels: CodedColumn, kept: NDArray[np.bool_] | None, minimum: int) -> "RareClasses | None":
        """The classes with fewer than `minimum` examples, of those that are `kept` `[N]`, or of all; None for none.

        >>> found = RareClasses.find(CodedColumn.from_names(["a", "b", "a"]), None, 2)
        >>> found.names, found.mask
        (('b',), array([False,  True, False]))
        """
        counts = counts_of_kept(labels, kept)
        rare = counts < minimum
        if not rare.any():
            return None
        names = tuple(name for name, is_rare in zip(labels.names, rare.tolist(), strict=True) if is_rare)
        # One more at the end, so that an example without a label is none of a rare class.
        return cls(names, minimum, np.append(rare, False)[labels.codes])

    def remaining(self, labels: CodedColumn) -> CodedColumn:
        """The labels by the other classes; those of the rare ones are missing."""
        return labels.with_names(tuple(name for name in labels.names if name not in self.names))

    def note(self, noun: str) -> str:
        """The remark for the population of every split.

        >>> RareClasses(("b",), 2, np.array([False, True, False])).note("row")
        '1 row of 1 class with fewer than 2 examples left out'
        """
        count, classes = int(self.mask.sum()), len(self.names)
        return (
            f"{count:,} {noun}{'s' * (count != 1)} of {classes:,} class{'es' * (classes != 1)} with fewer than "
            f"{self.minimum} examples left out"
        )


def counts_of_kept(labels: CodedColumn, kept: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """The number of examples of each class, `[C]`, among those that are `kept` `[N]`, or among all."""
    return labels.counts() if kept is None else CodedColumn(labels.names, labels.codes[kept]).counts()
