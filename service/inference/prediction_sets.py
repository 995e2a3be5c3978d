"""Prediction sets: the classes that an input may have, certified by split conformal prediction."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from service.contract.certificates import Abstention, PredictionSets, SetMethod
from service.contract.errors import InvalidValue
from service.contract.validation import display
from service.inference.classifier import Scores


def choose(
    abstention: Abstention | None, set_coverage: float | None, method: SetMethod | None
) -> PredictionSets | None:
    """The first kind of prediction set in the file that matches the request.

    None if the model has none and the request names none. Raises InvalidValue if none matches.
    """
    offered = abstention.prediction_sets if abstention else []
    requested = [(f, v) for f, v in (("set_coverage", set_coverage), ("set_method", method)) if v is not None]
    for sets in offered:
        if set_coverage in (None, sets.set_coverage) and method in (None, sets.method):
            return sets
    if not requested:
        return None
    field, value = requested[0]
    if not offered:
        raise InvalidValue(field, f"={display(value)} was requested, but this model has no prediction sets")
    by_method = f" for {method}" if len(requested) > 1 else ""
    coverages: dict[str, list[str]] = {}
    for sets in offered:
        coverages.setdefault(sets.method, []).append(str(sets.set_coverage))
    listed = "; ".join(f"{name} {', '.join(values)}" for name, values in coverages.items())
    raise InvalidValue(field, f"={display(value)} is not certified by this model{by_method}; certified: {listed}")


def cells(scores: Scores, cuts: Sequence[float], max_ood_score: float) -> NDArray[np.intp]:
    """The cell of each input, `[N]`: the number of cuts <= its confidence; 0 for inputs out of distribution.

    `cuts` rise. Out of distribution means an `ood_score` over `max_ood_score`.

    >>> p = np.array([[0.75, 0.25], [0.5, 0.5], [1, 0]], dtype=np.float32)
    >>> cells(Scores(p, p.max(axis=1), np.array([1, 1, 9], dtype=np.float32)), [0.75, 0.9], 4)
    array([1, 0, 0])
    """
    cell = np.searchsorted(cuts, scores.confidence.astype(np.float64), side="right")
    return np.where(scores.ood_score.astype(np.float64) <= max_ood_score, cell, 0)


def members(scores: Scores, sets: PredictionSets, max_ood_score: float) -> NDArray[np.bool_]:
    """Which classes are in the prediction set of each of N inputs, `[N, C]`; `max_ood_score` as in `cells`.

    These are the classes whose probability is at least the threshold (LAC: Sadinle, Lei and Wasserman 2019), and always
    the likeliest: an empty set is of no use, and a larger one keeps the promise.

    >>> sets = PredictionSets(set_coverage=0.9, method="by_decision", cuts=[0.5], thresholds=[0.25, 0.5],
    ...                       order_statistics=[10, 10], sizes=[10, 10], population="by hand",
    ...                       calibration_fingerprint="0" * 64)
    >>> p = np.array([[0.5, 0.3, 0.2], [0.25, 0.3, 0.45]], dtype=np.float32)
    >>> members(Scores(p, p.max(axis=1), np.zeros(2, dtype=np.float32)), sets, 4)
    array([[ True, False, False],
           [ True,  True,  True]])
    """
    thresholds = np.array(sets.thresholds)
    if sets.method != "lac_class_conditional":
        thresholds = thresholds[cells(scores, sets.cuts, max_ood_score), None]
    chosen = scores.probabilities.astype(np.float64) >= thresholds  # [N, C] against [N, 1] or [C]
    chosen[np.arange(len(chosen)), scores.probabilities.argmax(axis=1)] = True
    return chosen


@dataclass(frozen=True, slots=True)
class LabelSets:
    """The scalar form of `members`: labels for one input, in a tenth of the time."""

    labels: Sequence[str]
    sets: PredictionSets
    max_ood_score: float  # as in `cells`

    def of(
        self,
        probabilities: Sequence[float] | NDArray[np.float32],
        confidence: float,
        ood_score: float,
        likeliest: Sequence[int],
    ) -> list[str]:
        """The labels in the set of one input, in the model's order; `likeliest` starts with the most probable ones.

        >>> sets = PredictionSets(set_coverage=0.9, method="lac", thresholds=[0.3], order_statistics=[10], sizes=[10],
        ...                       population="by hand", calibration_fingerprint="0" * 64)
        >>> LabelSets(["a", "b", "c"], sets, 4.0).of([0.3, 0.2, 0.5], 0.5, 0.0, [2, 0])
        ['a', 'c']
        """
        threshold = self._threshold(confidence, ood_score)
        if threshold is not None and len(likeliest) > 1 and probabilities[likeliest[1]] < threshold:
            return [self.labels[likeliest[0]]]  # the usual case, without a look at every class
        return list(compress(self.labels, self.members(probabilities, confidence, ood_score, likeliest[0])))

    def members(
        self, probabilities: Sequence[float] | NDArray[np.float32], confidence: float, ood_score: float, best: int
    ) -> list[bool]:
        """Which classes are in the set of one input, `[C]`; `best` is the most probable one."""
        threshold = self._threshold(confidence, ood_score)
        if threshold is None:
            chosen = [value >= least for value, least in zip(probabilities, self.sets.thresholds, strict=True)]
        else:
            chosen = [value >= threshold for value in probabilities]
        chosen[best] = True
        return chosen

    def _threshold(self, confidence: float, ood_score: float) -> float | None:
        """The threshold of one input's cell; None if each class has its own."""
        if self.sets.method == "lac_class_conditional":
            return None
        return self.sets.thresholds[bisect_right(self.sets.cuts, confidence) if ood_score <= self.max_ood_score else 0]
