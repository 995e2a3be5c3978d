"""Next-token prediction in a text: the vocabulary, and the places of each split, whose files it has for itself."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.data.text.corpus import Corpus, Text, Vocabulary, divide, windows
from training.data.text.ngrams import Unigram
from training.errors import DataError

CONTEXT = 4


@dataclass(frozen=True, slots=True)
class Places:
    """N places in some files: what is before each, and what is there."""

    contexts: Tensor  # int64 [N, K]
    following: Tensor  # int64 [N]
    files: int

    def __len__(self) -> int:
        return len(self.following)

    def every(self, step: int) -> "Places":
        """One place in so many, evenly from all files."""
        return Places(self.contexts[::step], self.following[::step], self.files)


@dataclass(frozen=True, slots=True)
class Task:
    """Next-token prediction, by splits."""

    corpus: Corpus
    vocabulary: Vocabulary
    train: Places
    tune: Places
    calibration: Places
    report: Places

    @classmethod
    def of(cls, corpus: Corpus) -> "Task":
        """The task of predicting in files that are not learnt from. Raises DataError where that cannot be."""
        divided = divide(corpus.texts)
        vocabulary = Vocabulary.of(divided.train)
        if len(vocabulary) < 2:
            raise DataError("no token occurs twice in the files to learn from: there is nothing to predict")

        def places(split: list[Text]) -> Places:
            contexts, following = windows(vocabulary.ids(split), CONTEXT)
            return Places(torch.from_numpy(contexts), torch.from_numpy(following), len(split))

        parts = (divided.train, divided.tune, divided.calibration, divided.report)
        return cls(corpus, vocabulary, *map(places, parts))

    @property
    def counts(self) -> Tensor:
        """How often each token is to be predicted in `train`, int64 `[V]`."""
        return torch.bincount(self.train.following, minlength=len(self.vocabulary))

    @property
    def unigram(self) -> Unigram:
        """That of `train`."""
        return Unigram.of(self.train.following.numpy(), len(self.vocabulary))
