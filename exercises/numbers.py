"""Formats numbers on the exercises' pages: the filters of the templates."""

import math


def digits(value: float, count: int = 3) -> str:
    """This many significant digits, without an exponent if that is short.

    >>> digits(0.000123456), digits(1234.5), digits(2.5e-9), digits(float("inf"))
    ('0.000123', '1,230', '2.5e-09', 'inf')
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    if not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{count}g}"
    places = count - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, places):,.{max(0, places)}f}"


def fixed(value: float, places: int = 4) -> str:
    """This many decimal places.

    >>> fixed(0.84567), fixed(1234.5, 1)
    ('0.8457', '1,234.5')
    """
    return f"{value:,.{places}f}"


def percent(share: float, places: int = 1) -> str:
    """A share in per cent.

    >>> percent(0.0912)
    '9.1 %'
    """
    return f"{100 * share:.{places}f} %"


def duration(seconds: float) -> str:
    """A time in a suitable unit.

    >>> duration(0.0000123), duration(0.0123), duration(12.3), duration(123)
    ('12.3 us', '12.3 ms', '12.3 s', '123 s')
    """
    for scale, unit in ((1e6, "us"), (1e3, "ms")):
        if seconds * scale < 1000:
            return f"{digits(seconds * scale)} {unit}"
    return f"{digits(seconds)} s"


def megabytes(size: float) -> str:
    """Bytes in MB, a million bytes each.

    >>> megabytes(31_400), megabytes(1_640_000_000)
    ('0.0314 MB', '1,640 MB')
    """
    return f"{digits(size / 1e6)} MB"


FILTERS = {function.__name__: function for function in (digits, fixed, percent, duration, megabytes)}
