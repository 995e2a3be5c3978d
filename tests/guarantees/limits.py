"""How often a promise may be seen broken before it is one that is not kept."""

from scipy.stats import binom

REPEATS = 1_000
RESAMPLING_SEED = 20


def most_violations(repeats: int, error: float = 0.05) -> int:
    """How often, by 99.9 %, a promise that fails with probability `error` fails in so many repeats at most."""
    return int(binom.ppf(0.999, repeats, error))


MOST_VIOLATIONS = most_violations(REPEATS)
assert MOST_VIOLATIONS == 73
