"""How numbers are written where a person reads them."""

from decimal import Decimal

from training.reporting.evaluation.bootstrap import Estimate

NONE = "-"  # where there is no number


def percent(share: float | None, digits: int = 1) -> str:
    """A share in per cent.

    >>> percent(0.0414), percent(None)
    ('4.1 %', '-')
    """
    return NONE if share is None else f"{100 * share:.{digits}f} %"


def rounded(value: float | None, digits: int = 2) -> str:
    """A number to so many digits.

    >>> rounded(1.416), rounded(None)
    ('1.42', '-')
    """
    return NONE if value is None else f"{value:.{digits}f}"


def round_percent(share: float) -> str:
    """A share that someone chose, with no more digits than they gave.

    >>> round_percent(0.05), round_percent(0.025), round_percent(0.999999999)
    ('5 %', '2.5 %', '99.9999999 %')
    """
    return f"{(Decimal(str(share)) * 100).normalize():f} %"


def quotient(part: int, whole: int) -> float | None:
    """The share, where there is a whole.

    >>> quotient(1, 4), quotient(0, 0)
    (0.25, None)
    """
    return part / whole if whole else None


def estimate(found: Estimate) -> tuple[str, str]:
    """A value and its interval, to four digits.

    >>> estimate(Estimate(0.03474, 0.03098, 0.03894))
    ('0.0347', '0.0310 to 0.0389')
    """
    return f"{found.value:.4f}", f"{found.low:.4f} to {found.high:.4f}"
