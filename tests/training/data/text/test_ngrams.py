import numpy as np
import pytest

from training.data.text.ngrams import Bigram, Unigram, perplexity

TOKENS = np.random.default_rng(0).integers(0, 6, 400)


def _bigram() -> Bigram:
    return Bigram.of(TOKENS[:-1], TOKENS[1:], Unigram.of(TOKENS, 8))


def test_unigram_is_a_distribution_without_zeros() -> None:
    probabilities = Unigram.of(TOKENS, 8).probabilities
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities.min() == pytest.approx(1 / 408)


@pytest.mark.parametrize("before", range(8))
def test_bigram_is_a_distribution_after_every_token(before: int) -> None:
    of_each = _bigram().probability(np.full(8, before), np.arange(8))
    assert of_each.sum() == pytest.approx(1)
    assert of_each.min() > 0


def test_bigram_after_an_unseen_token_is_the_unigram() -> None:
    bigram = _bigram()
    of_each = bigram.probability(np.full(8, 7), np.arange(8))
    assert of_each.tolist() == bigram.unigram.probabilities.tolist()


def test_bigram_learns_successors() -> None:
    tokens = np.tile([0, 1, 2], 100)
    bigram = Bigram.of(tokens[:-1], tokens[1:], Unigram.of(tokens, 3))
    assert perplexity(bigram.probability(tokens[:-1], tokens[1:])) < 1.02
    assert perplexity(bigram.unigram.probabilities[tokens]) == pytest.approx(3)
