"""Tests whether two samples, counted by bins, come from one population."""

import numpy as np
from numpy.typing import NDArray

_STAGES = 1, 9, 30  # blocks of draws
_BLOCK = 1000
_MIN_EXTREME = 10  # draws as far apart as the samples: with these, further draws cannot make the p-value small

_Counts = NDArray[np.int64]


def population_stability_index(expected: _Counts, observed: _Counts) -> NDArray[np.float64]:
    """The distance of two counts over B bins: `[B]` and `[..., B]` -> `[...]`, 0 for equal shares.

    PSI = sum_i (q_i - p_i) ln(q_i / p_i), over the shares p expected and q observed: Jeffreys' divergence (1946, Proc.
    R. Soc. A 186). Half a count is added to each bin, so that an empty one does not make it infinite.

    >>> round(float(population_stability_index(np.array([50, 50]), np.array([70, 30]))), 2)  # 0.2 ln(7/5 * 5/3)
    0.17
    """
    bins = expected.shape[-1]
    p = (expected + 0.5) / (expected.sum(axis=-1, keepdims=True) + bins / 2)
    q = (observed + 0.5) / (observed.sum(axis=-1, keepdims=True) + bins / 2)
    index: NDArray[np.float64] = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


def exact_p_value(expected: _Counts, observed: _Counts) -> float:
    """The probability that two samples of one population differ by at least this PSI; at least 1/40,000.

    A permutation test: it redraws at random which of all inputs are the observed ones. If k of n draws are as far
    apart as the samples, p = (1 + k) / (1 + n) (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9(1)). This holds
    for samples of every size, if the bins were fixed on other data and the inputs are independent.

    The draws are made in stages, up to n = 999, 9,999 and 39,999, and the first stage with k >= 10 is the last one,
    as in Besag and Clifford (1991, Biometrika 78(2)). P(p <= a) <= a still holds: let stage i be the first one with
    10 <= a (1 + n_i), or else the last. A test that stops before it has p > 10 / (1 + n) > a. A test that reaches it
    with p <= a has 1 + k_i <= a (1 + n_i), either because p is that ratio or because 1 + k_i <= 10. The probability of
    that is at most a, since n_i is fixed.

    >>> exact_p_value(np.array([50, 50]), np.array([50, 50])), exact_p_value(np.array([500, 500]), np.array([700, 300]))
    (1.0, 2.5e-05)
    """
    pooled, size = expected + observed, int(observed.sum())
    distance = population_stability_index(expected, observed) - 1e-12
    # Seeded by the counts: every worker computes the same p-value.
    rng = np.random.default_rng([*expected.tolist(), *observed.tolist()])
    draws, extreme = 1, 1  # the observed sample counts too
    for blocks in _STAGES:
        for _ in range(blocks):
            count = _BLOCK if draws > 1 else _BLOCK - 1
            drawn = rng.multivariate_hypergeometric(pooled, size, size=count)
            extreme += int((population_stability_index(pooled - drawn, drawn) >= distance).sum())
            draws += count
        if extreme > _MIN_EXTREME:
            break
    return extreme / draws
