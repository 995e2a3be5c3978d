"""Formats numbers for readers."""

from decimal import Decimal

from training.reporting.evaluation.bootstrap import Estimate

NONE = "-"  # for a missing number


def percent(share: float | None, digits: int = 1) -> str:
    """A share in per cent.

    >>> percent(0.0414), percent(None)
    ('4.1 %', '-')
    """
    return NONE if share is None else f"{100 * share:.{digits}f} %"


def rounded(value: float | None, digits: int = 2) -> str:
    """A number with this many decimal places.

    >>> rounded(1.416), rounded(None)
    ('1.42', '-')
    """
    return NONE if value is None else f"{value:.{digits}f}"


def round_percent(share: float) -> str:
    """A share that a user chose, with no more digits than given.

    >>> round_percent(0.05), round_percent(0.025), round_percent(0.999999999)
    ('5 %', '2.5 %', '99.9999999 %')
    """
    return f"{(Decimal(str(share)) * 100).normalize():f} %"


def quotient(part: int, total: int) -> float | None:
    """The share; None of an empty total.

    >>> quotient(1, 4), quotient(0, 0)
    (0.25, None)
    """
    return part / total if total else None


def estimate(value: Estimate) -> tuple[str, str]:
    """A value and its interval, with four decimal places.

    >>> estimate(Estimate(0.03474, 0.03098, 0.03894))
    ('0.0347', '0.0310 to 0.0389')
    """
    return f"{value.value:.4f}", f"{value.low:.4f} to {value.high:.4f}"
