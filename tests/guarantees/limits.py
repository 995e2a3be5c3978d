"""How often a promise may be seen broken before it is one that is not kept."""

from scipy.stats import binom

REPEATS = 1_000
RESAMPLING_SEED = 20

# A promise with confidence 0.95 is broken at most once in 20. By chance it is then seen broken more often than this
# in less than one run of a thousand.
MOST_VIOLATIONS = int(binom.ppf(0.999, REPEATS, 0.05))
assert MOST_VIOLATIONS == 73
