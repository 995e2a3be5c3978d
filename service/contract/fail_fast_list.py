"""A list for manifests whose validation stops at the first invalid element.

A hostile file may hold millions of invalid elements, and pydantic's error for each takes two kilobytes.
"""

from typing import Annotated, TypeVar

from pydantic import FailFast

_T = TypeVar("_T")


class _FirstOnly(FailFast):
    def __hash__(self) -> int:  # required of a member of a union
        return hash(_FirstOnly)


FailFastList = Annotated[list[_T], _FirstOnly()]
