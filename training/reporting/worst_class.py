"""The class with the highest share of wrong answers, in a sentence: a risk over all classes hides it."""

from collections.abc import Sequence

from training.reporting.evaluation.evaluation import ClassQuality
from training.reporting.numbers import percent

_LEAST_ANSWERED = 30  # inputs of a class: with fewer, a single error is over 3 %


def worst_class(classes: Sequence[ClassQuality]) -> str | None:
    """The class whose answered inputs get a wrong label most often, beside all classes together.

    None if no class with at least 30 answered inputs has an error.

    >>> quality = lambda label, errors, answered: ClassQuality(label, 100, answered, errors, answered, errors)
    >>> worst_class([quality("Shirt", 14, 40), quality("Bag", 1, 60), quality("Dress", 5, 5)])
    'Of the answered inputs of class Shirt, 35.0 % get a wrong label; over all classes it is 19.0 %.'
    """
    counted = [c for c in classes if c.answered >= _LEAST_ANSWERED and c.errors]
    if not counted:
        return None
    worst = max(counted, key=lambda c: c.errors / c.answered)
    overall = sum(c.errors for c in classes) / sum(c.answered for c in classes)
    return (
        f"Of the answered inputs of class {worst.label}, {percent(worst.errors / worst.answered)} get a wrong label; "
        f"over all classes it is {percent(overall)}."
    )
