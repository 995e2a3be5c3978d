"""Contexts of tokens become the same features in torch and in the graph."""

from pathlib import Path

import numpy as np
import pytest
import torch

from service.inference.classifier import Classifier
from tests import tiny_tokens
from training.data.dataset import Labelled
from training.data.encoders import encoder_for
from training.reporting.evaluation import strange_inputs


def test_file_agrees_with_torch(tmp_path: Path) -> None:
    model, contexts = tiny_tokens.many(), tiny_tokens.TOKENS
    scores = Classifier.load(tiny_tokens.write_many(tmp_path)).scores(contexts)
    np.testing.assert_allclose(scores.probabilities, model.probabilities(contexts), atol=1e-7)
    np.testing.assert_allclose(scores.ood_score, model.ood_score(contexts), rtol=1e-6)


def test_features_are_the_embeddings_of_the_context_in_order() -> None:
    features = tiny_tokens.ENCODER.features(tiny_tokens.TOKENS, torch.float64)
    assert features.dtype == torch.float64
    assert features.tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert tiny_tokens.ENCODER.width == 2


def test_tokens_have_no_encoder_before_training() -> None:
    part = Labelled("by hand", tiny_tokens.TOKENS, np.zeros(4, dtype=np.int64))
    with pytest.raises(TypeError, match="learnt with the weights"):
        encoder_for(tiny_tokens.KIND, part)


def test_labelled_contexts_stay_integers() -> None:
    part = Labelled("by hand", tiny_tokens.TOKENS, np.zeros(4, dtype=np.int64))
    assert part.inputs.dtype == np.int64


def test_strange_contexts_use_the_vocabulary() -> None:
    sets = strange_inputs.make(tiny_tokens.KIND, tiny_tokens.TOKENS)
    assert len(sets) == 3
    for inputs in sets.values():
        assert inputs.shape == tiny_tokens.TOKENS.shape
        assert 0 <= inputs.min() <= inputs.max() < 3
