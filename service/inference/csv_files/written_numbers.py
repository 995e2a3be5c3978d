"""Numbers that are written as text: with a decimal comma, thousands separators, or a sign of per cent or currency."""

from collections.abc import Sequence
from typing import get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from service.inference.csv_files.form import Decimal

_SPACES = r"\s\x{a0}\x{202f}"  # two of them do not break
_SIGNS = "%$€£¥"
_MINUS = "\N{MINUS SIGN}"  # in place of the hyphen
_MISSING = ("", *pa.csv.ConvertOptions().null_values)


def ways(texts: Sequence[str]) -> tuple[Decimal, ...]:
    """The decimal marks with which the texts are such numbers; the point alone if both give the same.

    >>> ways(["2,9", "3"]), ways(["34%"]), ways(["1,234"]), ways(["a"])
    ((',',), ('.',), ('.', ','), ())
    """
    array = pa.array(texts, pa.string())
    likely = [mark for mark in get_args(Decimal) if first_other(array[:100], mark) is None]
    found = tuple(mark for mark in likely if written(array, mark))
    return found[:1] if len(found) == 2 and numbers(array, ".").equals(numbers(array, ",")) else found


def written(texts: pa.Array, decimal: Decimal) -> bool:
    """Whether all texts are numbers, and not all of them plain whole numbers, which may be names.

    >>> written(pa.array(["2,9", "1.234,5", None]), ","), written(pa.array(["34 %", "5%"]), ".")
    (True, True)
    >>> written(pa.array(["2,9", "3"]), "."), written(pa.array(["1", "20"]), "."), written(pa.array(["02345"]), ".")
    (False, False, False)
    """
    return first_other(texts, decimal) is None and not _all(_present(texts), r"\d*")


def first_other(texts: pa.Array, decimal: Decimal) -> int | None:
    """The index of the first text that is not a number, nor missing."""
    matches = pc.or_(pc.match_substring_regex(texts, _pattern(decimal)), _is_missing(texts))
    index = pc.index(matches, False).as_py()
    return None if index < 0 else index


def numbers(texts: pa.Array, decimal: Decimal) -> pa.Array:
    """The numbers, float64, null where missing. A percent sign does not divide: 34 % is 34.

    >>> numbers(pa.array(["-2,9", "1.234,5", "€ 34", "NA"]), ",").to_pylist()
    [-2.9, 1234.5, 34.0, None]
    """
    plain = pc.replace_substring_regex(texts, rf"[+{_SIGNS}{_thousands(decimal)}]", "")
    for mark, point in ((",", "."), (_MINUS, "-")):
        plain = pc.replace_substring(plain, mark, point)
    return pc.if_else(_is_missing(texts), pa.scalar(None, pa.string()), plain).cast(pa.float64())


def _pattern(decimal: Decimal) -> str:
    """A number in RE2's syntax. A leading zero, as in 02345, is that of a name."""
    mark = rf"\{decimal}"
    whole = rf"(0|[1-9]\d*|[1-9]\d{{0,2}}([{_thousands(decimal)}]\d{{3}})+)"
    around = rf"[{_SPACES}{_SIGNS}]*"
    return rf"^{around}[-+{_MINUS}]?{around}({whole}({mark}\d*)?|{mark}\d+)([eE][-+]?\d+)?{around}$"


def _thousands(decimal: Decimal) -> str:
    """The marks between thousands, for a class of characters."""
    return rf"{_SPACES}'\x{{2019}}{',' if decimal == '.' else '.'}"


def _is_missing(texts: pa.Array) -> pa.Array:
    stripped = pc.fill_null(pc.utf8_trim_whitespace(texts), "")
    return pc.is_in(stripped, value_set=pa.array(_MISSING, stripped.type))


def _present(texts: pa.Array) -> pa.Array:
    return texts.filter(pc.invert(_is_missing(texts)))


def _all(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(texts, f"^{pattern}$"), min_count=0).as_py())
