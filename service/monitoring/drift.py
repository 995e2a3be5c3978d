"""Do recent requests look like the split on which the promises were made? Counted by bins, in bounded memory.

Three things are compared: the likeliest labels, the confidence, the `ood_score`. Each by the population stability
index and by an exact test of whether recent inputs and the reference can be one population.
"""

import threading
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.classifier import Scores
from service.monitoring.place import ALONE, Place
from service.monitoring.ring import Ring
from service.reference import Reference
from service.schemas.drift import (
    DriftResponse,
    DriftStatus,
    LabelDrift,
    LabelShare,
    ReferenceRef,
    ScoreDrift,
    ScoreShare,
    Verdict,
)
from service.schemas.models import ModelRef

LEAST_INPUTS = 100
_MOST_LABELS = 100  # bins
PSI_LIMIT = 0.1  # a shift worth looking at, by the custom of credit scoring (Siddiqi 2006, Credit Risk Scorecards)
SIGNIFICANCE = 0.01 / 3  # of each of the three tests, so that all together err in 1 %
_DRAWS = 999

_Counts = NDArray[np.int64]


class Drift:
    """The latest inputs of one model, by bin; safe to share between threads."""

    def __init__(self, reference: Reference, window: int, model: str = "", place: Place = ALONE) -> None:
        """`window` is how many inputs are held at most, those of all workers together."""
        self._reference = reference
        self._label_bins, self._shown = _grouped(np.array(reference.labels))
        self._edge_lists = reference.confidence.edges, reference.ood_score.edges
        self._edges = tuple(np.array(edges) for edges in self._edge_lists)
        self._ring = Ring(window, model, place)
        self.window = self._ring.size * place.workers
        self._lock = threading.Lock()

    def record(self, scores: Scores) -> None:
        """Count the inputs of one request."""
        if len(scores.confidence) == 1:
            self._record_one(int(scores.probabilities.argmax()), scores.confidence.item(), scores.ood_score.item())
            return
        ring = self._ring
        latest = slice(-ring.size, None)  # of more than are held
        label = self._label_bins[scores.probabilities[latest].argmax(axis=1)].astype(np.uint8)
        confidence = self._edges[0].searchsorted(scores.confidence[latest], side="right").astype(np.uint8)
        ood_score = self._edges[1].searchsorted(scores.ood_score[latest], side="right").astype(np.uint8)
        with self._lock:
            start = ring.seen % ring.size
            before_the_end = ring.size - start
            for column, bins in zip(ring.columns, (label, confidence, ood_score), strict=True):
                head, tail = bins[:before_the_end].tobytes(), bins[before_the_end:].tobytes()
                column[start : start + len(head)] = head
                column[: len(tail)] = tail
            ring.seen += len(label)

    def _record_one(self, label: int, confidence: float, ood_score: float) -> None:
        """The same for one input, in a fifth of the time."""
        labels, confidences, ood_scores = self._ring.columns
        label_bin = self._label_bins.item(label)
        confidence_bin = bisect_right(self._edge_lists[0], confidence)
        ood_bin = bisect_right(self._edge_lists[1], ood_score)
        with self._lock:
            seen = self._ring.seen
            at = seen % self._ring.size
            labels[at], confidences[at], ood_scores[at] = label_bin, confidence_bin, ood_bin
            self._ring.seen = seen + 1

    def forget(self) -> None:
        """The model serves no more. Requests that have begun may still be recorded, and nobody will look."""
        self._ring.remove()

    def state(self, model: ModelRef, labels: list[str]) -> DriftResponse:
        """The recent inputs beside the reference. Takes some milliseconds."""
        bins = self._ring.latest()
        reference = self._reference
        confidence, ood_score = reference.confidence, reference.ood_score
        return DriftResponse(
            model=model,
            inputs=bins.shape[1],
            window=self.window,
            reference=ReferenceRef(split=reference.split, size=reference.size),
            labels=self._of_labels(labels, bins[0]),
            confidence=_of_scores(confidence.edges, _compared(confidence.counts, bins[1])),
            ood_score=_of_scores(ood_score.edges, _compared(ood_score.counts, bins[2])),
        )

    def _of_labels(self, labels: list[str], bins: NDArray[np.unsignedinteger]) -> LabelDrift:
        reference = np.bincount(self._label_bins, self._reference.labels).astype(int).tolist()
        names = [*(labels[i] for i in self._shown), *([None] if len(self._shown) < len(labels) else [])]
        found = _compared(reference, bins)
        shares = zip(names, found.expected, found.observed, strict=True)
        listed = [LabelShare(label=name, expected=p, observed=q) for name, p, q in shares]
        return LabelDrift(**dict(found.verdict), bins=listed)


def _grouped(counts: _Counts) -> tuple[NDArray[np.intp], list[int]]:
    """The bin of each label, `[C]`, and the labels that have one of their own; the others share the last.

    A label that the reference has seen three times says nothing of a shift, and ten thousand such drown what does.

    >>> _grouped(np.array([3, 5]))
    (array([0, 1]), [0, 1])
    """
    own = np.arange(len(counts))
    if len(counts) > _MOST_LABELS:
        own = np.sort(np.argsort(-counts, kind="stable")[: _MOST_LABELS - 1])
    bins = np.full(len(counts), _MOST_LABELS - 1)
    bins[own] = np.arange(len(own))
    return bins, own.tolist()


def population_stability_index(expected: _Counts, observed: _Counts) -> NDArray[np.float64]:
    """How far counts over B bins are apart: `[B]` and `[..., B]` -> `[...]`, 0 for equal shares.

    PSI = sum_i (q_i - p_i) ln(q_i / p_i), over the shares p expected and q observed: Jeffreys' divergence (1946, Proc.
    R. Soc. A 186). Each bin gets half a count more than it has, so that an empty one is no infinity.

    >>> round(float(population_stability_index(np.array([50, 50]), np.array([70, 30]))), 2)  # 0.2 ln(7/5 * 5/3)
    0.17
    """
    bins = expected.shape[-1]
    p = (expected + 0.5) / (expected.sum(axis=-1, keepdims=True) + bins / 2)
    q = (observed + 0.5) / (observed.sum(axis=-1, keepdims=True) + bins / 2)
    index: NDArray[np.float64] = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


def exact_p_value(expected: _Counts, observed: _Counts) -> float:
    """How likely two samples of one population are at least so far apart, by their PSI; at least 0.001.

    The permutation test: which of all inputs are the recent ones is drawn anew 999 times (Phipson and Smyth 2010, Stat.
    Appl. Genet. Mol. Biol. 9(1)). It holds for samples of every size, where the inputs are independent.

    >>> exact_p_value(np.array([50, 50]), np.array([50, 50])), exact_p_value(np.array([500, 500]), np.array([700, 300]))
    (1.0, 0.001)
    """
    pooled = expected + observed
    rng = np.random.default_rng(0)  # the same counts have the same p-value
    drawn = rng.multivariate_hypergeometric(pooled, int(observed.sum()), size=_DRAWS)
    as_far = population_stability_index(pooled - drawn, drawn) >= population_stability_index(expected, observed) - 1e-12
    return (1 + int(as_far.sum())) / (1 + _DRAWS)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Recent inputs beside the reference, over B bins."""

    expected: list[float]  # shares, [B]
    observed: list[float]
    verdict: Verdict


def _compared(reference: list[int], bins: NDArray[np.unsignedinteger]) -> _Comparison:
    expected = np.array(reference)
    observed = np.bincount(bins, minlength=len(expected))
    shares = (expected / expected.sum()).tolist(), (observed / max(1, len(bins))).tolist()
    if len(bins) < LEAST_INPUTS:
        return _Comparison(*shares, Verdict(status="too_few_inputs", psi=None, p_value=None))
    psi = float(population_stability_index(expected, observed))
    p_value = exact_p_value(expected, observed)
    return _Comparison(*shares, Verdict(status=_status(psi, p_value), psi=psi, p_value=p_value))


def _status(psi: float, p_value: float) -> DriftStatus:
    if p_value > SIGNIFICANCE:
        return "stable"
    return "drifted" if psi >= PSI_LIMIT else "slight"


def _of_scores(edges: list[float], found: _Comparison) -> ScoreDrift:
    shares = zip([None, *edges], [*edges, None], found.expected, found.observed, strict=True)
    bins = [ScoreShare(at_least=low, under=high, expected=p, observed=q) for low, high, p, q in shares]
    return ScoreDrift(**dict(found.verdict), bins=bins)
