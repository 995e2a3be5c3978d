"""Compares recent inputs, in windows, with the split that the promises come from.

Three distributions are compared: the most probable labels, the confidence and the `ood_score`. Each is counted by bins,
and compared by the population stability index and by an exact test of whether both samples come from one population.
"""

import threading
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.contract.reference import Reference
from service.inference.classifier import Scores
from service.inference.outcome import ModelRef
from service.monitoring.drift.permutation_test import exact_p_value, population_stability_index
from service.monitoring.drift.schema import (
    DriftResponse,
    DriftStatus,
    LabelDrift,
    LabelShare,
    ReferenceRef,
    ScoreDrift,
    ScoreShare,
    Verdict,
)
from service.monitoring.drift.windows import Window, Windows
from service.monitoring.worker_slot import ALONE, WorkerSlot

PSI_LIMIT = 0.1  # a shift worth looking at, by the custom of credit scoring (Siddiqi 2006, Credit Risk Scorecards)
FALSE_ALARM_RATE = 1e-4  # the largest probability that a window like the reference is not called stable
SIGNIFICANCE = FALSE_ALARM_RATE / 3  # of each of the three tests of a window

_Counts = NDArray[np.int64]


class Drift:
    """The inputs of one model, by bin; safe to share between threads."""

    def __init__(self, reference: Reference, window: int, model: str = "", slot: WorkerSlot = ALONE) -> None:
        """`window` is the largest size of a window; the inputs of all workers together fill it."""
        self.window = window
        self._reference = reference
        self._label_bins, self._labels = _label_bins(reference)
        labels = np.bincount(self._label_bins, reference.labels).astype(np.int64)
        confidence, ood_score = reference.confidence, reference.ood_score
        self._expected = labels, np.array(confidence.counts), np.array(ood_score.counts)
        self._edge_lists = confidence.edges, ood_score.edges
        self._edges = np.array(confidence.edges), np.array(ood_score.edges)
        self._first = len(labels), len(labels) + len(confidence.counts)  # bin of the confidence, of the ood_score
        self._bins = self._first[1] + len(ood_score.counts)
        self._windows = Windows(self._bins, window, model, slot)
        self._lock = threading.Lock()
        self._compared: tuple[int, list[_Comparison]] | None = None

    @property
    def window_number(self) -> int:
        """The number of the window that `state` describes; 0 where none is complete."""
        return self._windows.number

    def record(self, scores: Scores) -> None:
        """Count the inputs of one request."""
        if len(scores.confidence) == 1:
            self._record_one(int(scores.probabilities.argmax()), scores.confidence.item(), scores.ood_score.item())
            return
        bins = np.concatenate(
            [
                self._label_bins[scores.probabilities.argmax(axis=1)],
                self._first[0] + self._edges[0].searchsorted(scores.confidence, side="right"),
                self._first[1] + self._edges[1].searchsorted(scores.ood_score, side="right"),
            ]
        )
        self._windows.count(len(scores.confidence), np.bincount(bins, minlength=self._bins))

    def _record_one(self, label: int, confidence: float, ood_score: float) -> None:
        """The same for one input, in a fifth of the time."""
        self._windows.count_one(
            (
                self._label_bins.item(label),
                self._first[0] + bisect_right(self._edge_lists[0], confidence),
                self._first[1] + bisect_right(self._edge_lists[1], ood_score),
            )
        )

    def state(self, model: ModelRef, labels: list[str]) -> DriftResponse:
        """The last complete window, compared with the reference.

        The first call for a window tests it, which takes milliseconds, and up to a second where it is not stable.
        """
        window = self._windows.latest()
        by_label, confidence, ood_score = self._comparisons(window)
        reference = self._reference
        return DriftResponse(
            model=model,
            inputs=window.inputs,
            window=self.window,
            window_number=window.number,
            inputs_since=window.since,
            reference=ReferenceRef(split=reference.split, size=reference.size),
            labels=_label_drift([None if i is None else labels[i] for i in self._labels], by_label),
            confidence=_score_drift(reference.confidence.edges, confidence),
            ood_score=_score_drift(reference.ood_score.edges, ood_score),
        )

    def _comparisons(self, window: Window) -> list["_Comparison"]:
        """The three comparisons, computed once per window."""
        with self._lock:
            if self._compared is None or self._compared[0] != window.number:
                observed = np.split(window.counts, self._first)
                comparisons = [_compare(*counts) for counts in zip(self._expected, observed, strict=True)]
                self._compared = window.number, comparisons
            return self._compared[1]


def _label_bins(reference: Reference) -> tuple[NDArray[np.intp], list[int | None]]:
    """The bin of each label, `[C]`, and the label of each bin; None for a last bin that several labels share."""
    classes = len(reference.labels)
    if reference.own_labels is None:
        return np.arange(classes), list(range(classes))
    own = reference.own_labels
    bins = np.full(classes, len(own))
    bins[own] = np.arange(len(own))
    return bins, [*own, None]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A window compared with the reference, over B bins."""

    expected: list[float]  # shares, [B]
    observed: list[float]
    verdict: Verdict


def _compare(expected: _Counts, observed: _Counts) -> _Comparison:
    """Compare counts by bin, `[B]`, of the reference and of a window; the latter are 0 where none is complete."""
    size = int(observed.sum())
    shares = (expected / expected.sum()).tolist(), (observed / max(1, size)).tolist()
    if size == 0:
        return _Comparison(*shares, Verdict(status="too_few_inputs", psi=None, p_value=None))
    psi = float(population_stability_index(expected, observed))
    p_value = exact_p_value(expected, observed)
    return _Comparison(*shares, Verdict(status=_status(psi, p_value), psi=psi, p_value=p_value))


def _status(psi: float, p_value: float) -> DriftStatus:
    if p_value > SIGNIFICANCE:
        return "stable"
    return "drifted" if psi >= PSI_LIMIT else "slight"


def _label_drift(labels: list[str | None], comparison: _Comparison) -> LabelDrift:
    shares = zip(labels, comparison.expected, comparison.observed, strict=True)
    bins = [LabelShare(label=label, expected=p, observed=q) for label, p, q in shares]
    return LabelDrift(**dict(comparison.verdict), bins=bins)


def _score_drift(edges: list[float], comparison: _Comparison) -> ScoreDrift:
    shares = zip([None, *edges], [*edges, None], comparison.expected, comparison.observed, strict=True)
    bins = [ScoreShare(at_least=low, under=high, expected=p, observed=q) for low, high, p, q in shares]
    return ScoreDrift(**dict(comparison.verdict), bins=bins)
