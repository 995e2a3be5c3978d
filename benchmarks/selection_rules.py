"""Other rules for choosing a threshold, for comparison with ours.

Each takes calibration examples and gives the minimum confidence of an answer, or None if there is none. Ours
is `training.certification.fixed_sequence.fixed_sequence`.
"""

import math
import warnings

import numpy as np
from mapie.risk_control import BinaryRisk, MultiClassificationLTTController
from numpy.typing import NDArray

from training.certification.fixed_sequence import count
from training.certification.tails import binomial_p_value, clopper_pearson_upper

Confidence = NDArray[np.floating]  # [N]
Wrong = NDArray[np.bool_]  # [N]
Probabilities = NDArray[np.float32]  # [N, C]
Labels = NDArray[np.int64]  # [N]


def oracle(confidence: Confidence, wrong: Wrong, risk: float) -> float | None:
    """The threshold of the largest coverage within the target. Computed on the entire population, it is the optimum."""
    thresholds, answered, errors = _every_threshold(confidence, wrong)
    return _lowest(thresholds, errors / answered <= risk)


def naive(confidence: Confidence, wrong: Wrong, risk: float) -> float | None:
    """The lowest threshold at which the *calibration* error is within the target. Promises nothing."""
    return oracle(confidence, wrong, risk)


def largest_passing(confidence: Confidence, wrong: Wrong, risk: float, level: float) -> float | None:
    """The lowest of all thresholds that pass the binomial test, each tested by itself. Promises nothing either."""
    thresholds, answered, errors = _every_threshold(confidence, wrong)
    return _lowest(thresholds, binomial_p_value(errors, answered, risk) <= 1 - level)


def sgr(confidence: Confidence, wrong: Wrong, risk: float, level: float) -> float | None:
    """Selection with Guaranteed Risk (Geifman and El-Yaniv 2017, arXiv 1705.08500, algorithm 1).

    A binary search among the m calibration confidences, the error level split evenly over its ceil(log2 m) steps.
    Two things differ from the authors' code, both in its favour: errors are counted in integers, so the promise
    holds; and the result is the last certified threshold, not the last one tested.
    """
    m = len(confidence)
    rising = np.sort(confidence.astype(np.float64))
    steps = math.ceil(math.log2(m))
    low, high, certified = 1, m, None
    for _ in range(steps):
        z = math.ceil((low + high) / 2)
        threshold = float(rising[z - 1])
        answered, errors = count(confidence, wrong, np.array([threshold]))
        if clopper_pearson_upper(int(errors[0]), int(answered[0]), 1 - (1 - level) / steps) < risk:
            high, certified = z, threshold
        else:
            low = z
    return certified


class Mapie:
    """MAPIE's controller for the error among the answered, at one target.

    It has no such risk built in; its documentation says how to define one. Given `tune`, it learns the order of its
    thresholds there and tests in that order. Otherwise it corrects for all of them, by Bonferroni and Holm, its
    default. The 100 thresholds, 0 to 0.99, are its default in both cases.
    """

    _ERROR = BinaryRisk(
        risk_occurrence=lambda y_true, y_pred: y_pred != y_true,
        risk_condition=lambda _, y_pred: ~np.isnan(y_pred),  # an abstention is a NaN
        higher_is_better=False,
    )

    def __init__(
        self, risk: float, level: float, classes: int, tune: tuple[Probabilities, Labels] | None = None
    ) -> None:
        self._controller = MultiClassificationLTTController(
            predict_function=lambda probabilities: probabilities,
            risks=[self._ERROR],
            target_level=[risk],
            confidence_level=level,
            classes=np.arange(classes),
            fwer_method="bonferroni_holm" if tune is None else "split_fixed_sequence",
        )
        if tune is not None:
            self._controller.learn_fixed_sequence_order(*tune, binary=True)

    def best(self, probabilities: Probabilities, labels: Labels) -> float | None:
        """Its own choice: the valid threshold of minimum risk, which answers the least."""
        self._calibrate(probabilities, labels)
        best = self._controller.best_predict_param
        return None if best is None else float(best)

    def lowest(self, probabilities: Probabilities, labels: Labels) -> float | None:
        """The most favourable choice: the valid threshold of the largest coverage."""
        self._calibrate(probabilities, labels)
        return min(map(float, self._controller.valid_predict_params), default=None)

    def _calibrate(self, probabilities: Probabilities, labels: Labels) -> None:
        with warnings.catch_warnings():  # it warns if no threshold is valid and if all are
            warnings.filterwarnings("ignore", "No predict parameters were found", UserWarning)
            warnings.filterwarnings("ignore", "All provided predict_params control", UserWarning)
            self._controller.calibrate(probabilities, labels)


def _every_threshold(
    confidence: Confidence, wrong: Wrong
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Each distinct confidence, falling, with the number of answers at that threshold and of errors among them."""
    thresholds = np.unique(confidence.astype(np.float64))[::-1]
    return thresholds, *count(confidence, wrong, thresholds)


def _lowest(falling: NDArray[np.float64], passing: Wrong) -> float | None:
    return float(falling[passing][-1]) if passing.any() else None
