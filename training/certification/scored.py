"""A scored split: the exported file's scores of its examples, and their labels."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.inference.classifier import Classifier, Scores
from training.data.dataset import Labelled


@dataclass(frozen=True, slots=True)
class Scored:
    """The file's scores of N labelled examples, and which split these are."""

    scores: Scores
    labels: NDArray[np.int64]  # [N]
    population: str  # what the split was drawn from
    fingerprint: str  # SHA-256 of the split
    groups: NDArray[np.int64] | None = None  # [N], as in `Labelled`

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Scored":
        """The examples at `rows`, or where this mask is set, as a sample of the same split."""
        s, groups = self.scores, None if self.groups is None else self.groups[rows]
        scores = Scores(s.probabilities[rows], s.confidence[rows], s.ood_score[rows])
        return replace(self, scores=scores, labels=self.labels[rows], groups=groups)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Whether the most likely label is wrong, `[N]`."""
        wrong: NDArray[np.bool_] = self.scores.probabilities.argmax(axis=1) != self.labels
        return wrong

    @property
    def true_class_probability(self) -> NDArray[np.float32]:
        """The probability of the true class, `[N]`."""
        return self.scores.probabilities[np.arange(len(self.labels)), self.labels]


def score(classifier: Classifier, part: Labelled) -> Scored:
    """Run the file on a split, in blocks: the graph's intermediate values would not fit into memory at once."""
    blocks = part.blocks(len(classifier.manifest.labels))
    scores = Scores.joined(classifier.scores(block) for block in blocks)
    return Scored(scores, part.labels, part.source, part.fingerprint(), part.groups)
