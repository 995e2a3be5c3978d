"""Names that a person would take for one: they differ in case, blanks, Unicode form, or the zeros of a number."""

import unicodedata
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal

from training.data.coded import MISSING_TEXTS, CodedColumn, is_number

_MAX_NAMED = 5  # sets of names in one message
_UNICODE = "Unicode form (NFC, NFD)"
_STEPS: dict[str, Callable[[str], str]] = {
    "blanks at the ends": str.strip,
    "the zeros of a number": lambda name: str(Decimal(name).normalize()) if is_number(name) else name,
    "case": str.casefold,
    _UNICODE: lambda name: unicodedata.normalize("NFC", name),
}


def name_warnings(coded: CodedColumn, one: str, several: str) -> list[str]:
    """The warnings for names that are easily confused, and for names that look like a missing value.

    `one` and `several` are what a name is called: "class" and "classes".
    """
    lines = []
    found = twins(coded.names)
    for names in found[:_MAX_NAMED]:
        lines.append(f"the {several} {_listed(names, coded)}: write them alike if they are one {one}")
    if len(found) > _MAX_NAMED:
        lines.append(f"{len(found) - _MAX_NAMED} more sets of {several} differ only so")
    counts = dict(zip(coded.names, coded.counts().tolist(), strict=True))
    absent = [f"{name!r} ({counts[name]:,})" for name in coded.names if name in MISSING_TEXTS]
    if absent:
        lines.append(
            f"{', '.join(absent)} {'is a' if len(absent) == 1 else 'are'} {one if len(absent) == 1 else several}: "
            "leave the cells empty if the values are missing"
        )
    return lines


def twins(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The sets of names that are equal but for the way they are written.

    >>> twins(("1", "01", "2", "Blue", "blue "))
    [('1', '01'), ('Blue', 'blue ')]
    """
    alike = defaultdict(list)
    for name in names:
        alike[_key(name)].append(name)
    return [tuple(same) for same in alike.values() if len(same) > 1]


def difference(names: tuple[str, ...]) -> list[str]:
    """What the names of one set differ in.

    >>> difference(("Blue", "blue ")), difference(("1", "01"))
    (['blanks at the ends', 'case'], ['the zeros of a number'])
    """
    return [step for step in _STEPS if len({_key(name, without=step) for name in names}) > 1]


def _key(name: str, without: str = "") -> str:
    for step, apply in _STEPS.items():
        if step != without:
            name = apply(name)
    return name


def _listed(names: tuple[str, ...], coded: CodedColumn) -> str:
    """The names of one set with their numbers of rows, and what they differ in."""
    counts, what = coded.counts(), difference(names)
    shown = ascii if _UNICODE in what else repr  # two forms of one letter look the same
    with_counts = [f"{shown(name)} ({counts[coded.names.index(name)]:,})" for name in names]
    return f"{', '.join(with_counts[:-1])} and {with_counts[-1]} differ only in {' and '.join(what)}"
