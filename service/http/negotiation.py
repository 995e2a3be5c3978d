"""The weights of `Accept` and `Accept-Encoding` (RFC 9110, section 12.4.2)."""

import re

LONGEST = 1000  # bytes of a header that are looked at and remembered: a cache must not hold what a client makes long
_WEIGHT = re.compile(r";\s*q\s*=\s*([0-9.]*)")


def weights(header: str) -> dict[str, float]:
    """The weight of each name in a header, from 0, not acceptable, to 1, in their order.

    Of a repeated name the first counts. A weight that is no number from 0 to 1 is ignored.

    >>> weights("application/x-npy, application/json; q=0.5, */*;q=0")
    {'application/x-npy': 1.0, 'application/json': 0.5, '*/*': 0.0}
    """
    weighted: dict[str, float] = {}
    for part in header.lower().split(","):
        name = part.partition(";")[0].strip()
        if name:
            weighted.setdefault(name, _weight(part))
    return weighted


def _weight(part: str) -> float:
    given = _WEIGHT.search(part)
    try:
        weight = float(given[1]) if given else 1.0
    except ValueError:
        return 1.0
    return weight if weight <= 1 else 1.0
