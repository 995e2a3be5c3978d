"""A pool of scored examples as the population: calibration splits are drawn from it, and the true risk of a threshold
is its risk on the pool.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.contract.manifest import Manifest
from service.inference.classifier import Classifier
from training.certification.fixed_sequence import ThresholdSequence, count, fixed_sequence
from training.certification.scored import Scored, score
from training.data.dataset import Dataset
from training.data.splits import split

RISKS = (0.01, 0.02, 0.03, 0.05, 0.1)
CONFIDENCE_LEVEL = 0.95
CALIBRATION_SIZE = 5_000
RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Population:
    """N scored examples. Those that are not eligible are outside the gate and never answered."""

    scored: Scored
    eligible: NDArray[np.bool_]  # [N]

    @classmethod
    def behind(cls, gate: float, scored: Scored) -> "Population":
        """The examples of a split, behind a gate with this threshold."""
        return cls(scored, scored.scores.ood_score.astype(np.float64) <= gate)

    def __len__(self) -> int:
        return len(self.scored)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> "Population":
        """The examples at these indices, or where this mask is set."""
        return Population(self.scored.take(chosen), self.eligible[chosen])

    def inside(self) -> Scored:
        """The eligible examples, for rules without a gate."""
        return self.take(self.eligible).scored

    def sequence(self) -> ThresholdSequence:
        """The thresholds and their order, fixed on this population as `tune`."""
        return ThresholdSequence.from_tune(self.scored.scores.confidence, self.scored.wrong, self.eligible)

    def threshold(self, sequence: ThresholdSequence, risk: float) -> float | None:
        """The threshold that our rule certifies with this population as the calibration split."""
        s = self.scored
        passed = fixed_sequence(sequence, s.scores.confidence, s.wrong, self.eligible, risk, CONFIDENCE_LEVEL)
        return passed.threshold if passed else None

    def truth(self, thresholds: list[float | None]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coverage and risk of each threshold, two arrays `[J]`; both are 0 without a threshold."""
        least = np.array([np.inf if threshold is None else threshold for threshold in thresholds])
        inside = self.inside()
        answered, errors = count(inside.scores.confidence, inside.wrong, least)
        return answered / len(self), errors / np.maximum(answered, 1)


def resamples(population: Population, repeats: int, seed: int) -> Iterator[Population]:
    """Calibration splits, drawn with replacement: independent draws from the pool."""
    for repeat in range(repeats):
        draw = np.random.default_rng([seed, repeat])
        yield population.take(draw.integers(0, len(population), CALIBRATION_SIZE))


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The scores of a published file on all images outside its training split."""

    tune: Scored  # held-out training images
    test: Scored  # all official test images
    manifest: Manifest
    version: str

    @classmethod
    def of(cls, model: Path, dataset: Dataset) -> "HeldOut":
        """Run a model that has certificates."""
        classifier = Classifier.load(model)
        tune = split(dataset, "tuned", classifier.manifest.training.seed).tune
        scored = score(classifier, tune), score(classifier, dataset.test)
        return cls(*scored, classifier.manifest, classifier.version)

    @property
    def gate(self) -> float:
        """The published threshold of `ood_score`."""
        assert self.manifest.abstention is not None, "the model has no certificates: its recipe is chapter"
        return self.manifest.abstention.out_of_distribution.threshold
