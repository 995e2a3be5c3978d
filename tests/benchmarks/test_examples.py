"""The docstring examples of the benchmark modules that compute something."""

import doctest
from types import ModuleType

import pytest

from benchmarks.models import compare
from benchmarks.serving import capacity, open_loop, rounds, targets


@pytest.mark.parametrize("module", [capacity, compare, open_loop, rounds, targets], ids=lambda module: module.__name__)
def test_docstring_examples_pass(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
