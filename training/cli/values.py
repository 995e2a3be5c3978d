"""What the values of the training job's own options may be, beside those that both programs have."""

import argparse
import math
from typing import Any

from service.option_values import number
from training.certification.cost_matrix import LARGEST


class Several(argparse.Action):
    """Keeps several values, once each, in the order given."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:  # noqa: ARG002
        setattr(namespace, self.dest, tuple(dict.fromkeys(values)))


def count(text: str) -> int:
    """A whole number from 0."""
    return number(text, int, lambda value: value >= 0, "a whole number from 0")


def seed(text: str) -> int:
    """What numpy and torch both take for a seed."""
    return number(text, int, lambda value: 0 <= value < 2**63, "a whole number from 0 to 2^63 - 1")


def cost(text: str) -> float:
    """What something costs: sums over any number of inputs stay finite."""
    return number(text, float, lambda value: 0 < value <= LARGEST, f"a number over 0, at most {LARGEST:g}")


def not_negative(text: str) -> float:
    """A finite number from 0."""
    return number(text, float, lambda value: 0 <= value < math.inf, "a number from 0")


def share(text: str) -> float:
    """A number from 0 to under 1."""
    return number(text, float, lambda value: 0 <= value < 1, "a number from 0 to under 1")
