"""The lists of a manifest: the first wrong element ends the reading of them.

A file may hold millions that are wrong, and pydantic's account of each takes two kilobytes.
"""

from typing import Annotated, TypeVar

from pydantic import FailFast

_T = TypeVar("_T")


class _FirstOnly(FailFast):
    def __hash__(self) -> int:  # which a part of a union needs
        return hash(_FirstOnly)


FailFastList = Annotated[list[_T], _FirstOnly()]
