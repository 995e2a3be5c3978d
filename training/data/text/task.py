"""Next-token prediction in a text: the vocabulary, and the positions of each split, which has its own files."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.data.text.corpus import Corpus, Text, Vocabulary, divide, windows
from training.data.text.ngrams import Unigram
from training.errors import DataError

CONTEXT = 4


@dataclass(frozen=True, slots=True)
class Places:
    """N positions in some files: the context of each, and its token."""

    contexts: Tensor  # int64 [N, K]
    following: Tensor  # int64 [N]
    files: int

    def __len__(self) -> int:
        return len(self.following)

    def every(self, step: int) -> "Places":
        """Every `step`-th position, evenly from all files."""
        return Places(self.contexts[::step], self.following[::step], self.files)


@dataclass(frozen=True, slots=True)
class Task:
    """Next-token prediction, divided into splits."""

    corpus: Corpus
    vocabulary: Vocabulary
    train: Places
    tune: Places
    calibration: Places
    report: Places

    @classmethod
    def of(cls, corpus: Corpus) -> "Task":
        """The task of predicting in files that the model does not learn from. Raises DataError if it cannot."""
        divided = divide(corpus.texts)
        vocabulary = Vocabulary.of(divided.train)
        if len(vocabulary) < 2:
            raise DataError("no token occurs twice in the training files: give a longer text")

        def places(split: list[Text]) -> Places:
            contexts, following = windows(vocabulary.ids(split), CONTEXT)
            return Places(torch.from_numpy(contexts), torch.from_numpy(following), len(split))

        parts = (divided.train, divided.tune, divided.calibration, divided.report)
        return cls(corpus, vocabulary, *map(places, parts))

    @property
    def counts(self) -> Tensor:
        """The number of positions of each token in `train`, int64 `[V]`."""
        return torch.bincount(self.train.following, minlength=len(self.vocabulary))

    @property
    def unigram(self) -> Unigram:
        """The unigram of `train`."""
        return Unigram.of(self.train.following.numpy(), len(self.vocabulary))
