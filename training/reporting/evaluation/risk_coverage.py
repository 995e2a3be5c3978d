"""The risk-coverage curve: the selective risk at every coverage.

It measures the confidence as a ranking, independent of any threshold. Examples of equal confidence are answered
together or not at all, since no threshold separates them: such a tie group is one point of the curve. Some libraries
let the order of equal elements decide instead, so their third digits can differ from these.

The functions take counts along the last axis, `[..., G]`, one entry for each tie group by falling confidence, so that
a thousand resamples are measured at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlog1py

_Counts = NDArray[np.int64]
_Floats = NDArray[np.float64]

RISKS = (0.01, 0.03, 0.05, 0.1)  # at which the coverage is reported
COVERAGE = 0.8  # at which the risk is reported


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The curve of N examples as G points, one for each distinct confidence, from the highest to all examples."""

    thresholds: _Floats  # [G], falling
    answered: _Counts  # [G], examples with at least that confidence
    errors: _Counts  # [G], errors among them

    @classmethod
    def of(cls, confidence: NDArray[np.floating], wrong: NDArray[np.bool_]) -> "RiskCoverage":
        """From confidence and mistakes, both `[N]`.

        >>> RiskCoverage.of(np.array([0.9, 0.7, 0.7, 0.4]), np.array([False, True, False, True]))
        RiskCoverage(thresholds=array([0.9, 0.7, 0.4]), answered=array([1, 3, 4]), errors=array([0, 1, 2]))
        """
        order, ends = tie_groups(confidence)
        errors = np.cumsum(wrong[order], dtype=np.int64)
        return cls(confidence[order][ends].astype(np.float64), (ends + 1).astype(np.int64), errors[ends])

    @property
    def coverage(self) -> _Floats:
        """Share answered at each point, `[G]`."""
        coverage: _Floats = self.answered / self.answered[-1]
        return coverage

    @property
    def selective_risk(self) -> _Floats:
        """Share of errors among the answered at each point, `[G]`."""
        return self.errors / self.answered

    @property
    def ideal_risk(self) -> _Floats:
        """The lowest selective risk of any ranking at each point's coverage, `[G]`.

        The ideal ranking answers the right examples first: max(0, answered - right) / answered.
        """
        right = self.answered[-1] - self.errors[-1]
        ideal: _Floats = np.maximum(0, self.answered - right) / self.answered
        return ideal

    def thinned(self, max_points: int) -> "RiskCoverage":
        """At most this many points, evenly spaced by coverage, including the first and the last.

        >>> RiskCoverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 2, 3, 4]), np.zeros(4, int)).thinned(3).answered
        array([1, 3, 4])
        """
        targets = np.linspace(self.answered[0], self.answered[-1], max_points)
        kept = np.unique(np.searchsorted(self.answered, targets))  # the first point with that coverage
        return RiskCoverage(self.thresholds[kept], self.answered[kept], self.errors[kept])

    def metrics(self) -> dict[str, float]:
        """All metrics of the curve, as `measure` gives them."""
        return {name: float(value) for name, value in measure(self.answered, self.errors).items()}


def tie_groups(confidence: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The order of falling confidence, `[N]`, and in it the last place of each group of equal ones, `[G]`.

    >>> tie_groups(np.array([0.7, 0.9, 0.7]))
    (array([1, 0, 2]), array([0, 2]))
    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    return order, np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)


def measure(answered: _Counts, errors: _Counts) -> dict[str, _Floats]:
    """Every metric of the curves whose cumulative counts are given, `[..., G]` -> `[...]` each."""
    return {
        "full_risk": errors[..., -1] / answered[..., -1],
        "aurc": aurc(answered, errors),
        "e_aurc": e_aurc(answered, errors),
        "augrc": augrc(answered, errors),
        **{f"coverage_at_risk_{risk:g}": coverage_at_risk(answered, errors, risk) for risk in RISKS},
        f"risk_at_coverage_{COVERAGE:g}": risk_at_coverage(answered, errors, COVERAGE),
    }


def aurc(answered: _Counts, errors: _Counts) -> _Floats:
    """Area under the risk-coverage curve (Geifman, Uziel and El-Yaniv 2019, ICLR, arXiv 1805.08206).

    sum_g (n_g / n) * (errors among all with at least the confidence of g) / (their number), over tie groups g of
    size n_g: the mean selective risk over all coverages. Without ties, the mean over m of (errors among the m most
    confident) / m.

    >>> float(aurc(np.array([1, 3, 4]), np.array([0, 1, 2])))  # 1/4 * 0 + 2/4 * 1/3 + 1/4 * 2/4
    0.2916...
    """
    area: _Floats = (_shares(answered) * _risk(answered, errors)).sum(axis=-1)
    return area


def e_aurc(answered: _Counts, errors: _Counts) -> _Floats:
    """Excess AURC (ibid.): AURC - [r + (1 - r) ln(1 - r)], with r the error rate of all.

    The subtracted term is the area under the ideal curve of very many examples. So 0 is a perfect ranking, up to a term
    that shrinks as 1 / n.

    >>> float(e_aurc(np.array([1, 3, 4]), np.array([0, 1, 2])))  # 0.2917 - (0.5 + 0.5 ln 0.5)
    0.1382...
    """
    full = errors[..., -1] / answered[..., -1]
    excess: _Floats = aurc(answered, errors) - (full + xlog1py(1 - full, -full))
    return excess


def augrc(answered: _Counts, errors: _Counts) -> _Floats:
    """Area under the generalised risk-coverage curve (Traub et al. 2024, NeurIPS, arXiv 2407.01032).

    sum_g (n_g / n) * (errors among all with at least the confidence of g) / n: the share of wrong answers among all
    inputs, averaged over the coverages. Unlike AURC it gives the most confident examples no extra weight. Its minimum
    is r^2 / 2 (see `best_augrc`); a confidence without information has r / 2.

    >>> float(augrc(np.array([1, 3, 4]), np.array([0, 1, 2])))  # 1/4 * 0 + 2/4 * 1/4 + 1/4 * 2/4
    0.25
    """
    area: _Floats = (_shares(answered) * errors).sum(axis=-1) / answered[..., -1]
    return area


def best_augrc(full_risk: float) -> float:
    """The AUGRC of a perfect ranking of very many examples: r^2 / 2."""
    return full_risk**2 / 2


def coverage_at_risk(answered: _Counts, errors: _Counts, risk: float) -> _Floats:
    """The largest coverage over all thresholds with a selective risk of at most `risk`; 0 where there is none.

    The threshold is chosen on the same examples that measure it. So this is an oracle's result, not a promise.

    >>> float(coverage_at_risk(np.array([1, 3, 4]), np.array([0, 1, 2]), 0.34))
    0.75
    """
    # A quotient of counts and a literal such as 0.05 are both rounded to the nearest float64, so equality is exact.
    allowed = _risk(answered, errors) <= risk
    largest: _Floats = np.where(allowed, answered, 0).max(axis=-1) / answered[..., -1]
    return largest


def risk_at_coverage(answered: _Counts, errors: _Counts, coverage: float) -> _Floats:
    """The selective risk at the highest threshold with at least this coverage.

    >>> float(risk_at_coverage(np.array([1, 3, 4]), np.array([0, 1, 2]), 0.5))  # that of 3 in 4
    0.333...
    """
    enough = answered / answered[..., -1:] >= coverage
    first = enough.argmax(axis=-1)[..., None]
    risk: _Floats = np.take_along_axis(_risk(answered, errors), first, axis=-1)[..., 0]
    return risk


def _shares(answered: _Counts) -> _Floats:
    """n_g / n of each tie group, `[..., G]`."""
    shares: _Floats = np.diff(answered, axis=-1, prepend=0) / answered[..., -1:]
    return shares


def _risk(answered: _Counts, errors: _Counts) -> _Floats:
    """Errors over answered, `[..., G]`; 0 where a resample has none of the first groups, whose weight is then 0."""
    risk: _Floats = errors / np.maximum(answered, 1)
    return risk
