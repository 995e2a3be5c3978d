"""The number of violations that is still consistent with a kept promise."""

from scipy.stats import binom

REPEATS = 1_000
RESAMPLING_SEED = 20


def max_violations(repeats: int, error: float = 0.05) -> int:
    """The 99.9 % quantile of the number of failures in `repeats`, each with probability `error`."""
    return int(binom.ppf(0.999, repeats, error))


MAX_VIOLATIONS = max_violations(REPEATS)
assert MAX_VIOLATIONS == 73
