"""The parts of the exercise about large vocabularies that a quick run leaves out."""

import json
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from exercises import vocabulary_served
from exercises.serving import serving
from exercises.vocabulary import MODEL, corpus
from exercises.vocabulary_costs import ALL_WAYS, WAYS, costs
from exercises.vocabulary_model import adaptive, by_samples, exact, log_probabilities, score
from exercises.vocabulary_served import REQUEST
from training.data.text.corpus import Corpus, standard_library, tokenise
from training.data.text.ngrams import perplexity
from training.data.text.task import Task
from training.errors import TrainingError
from training.fitting.linear_cross_entropy import chunk_columns

STATED = Path(__file__).parents[2] / "docs" / "chapter" / "vocabulary.json"
SETTINGS = replace(MODEL, width=4, batch_size=64, steps=60, learning_rate=0.05)


@pytest.fixture(scope="module")
def task() -> Task:
    """A text in which each token except the names has one successor."""
    names = [[f"name_{i % 30} only_{i}_{j}" for j in range(12)] for i in range(40)]
    texts = {f"{i}.py": tokenise("".join(f"if a : b = ( c + d ) ; {n} " for n in names[i])) for i in range(40)}
    return Task.of(Corpus("made", "a made text", texts))


def test_corpus_matches_the_page() -> None:
    on_page = json.loads(STATED.read_text())["values"]
    if on_page["corpus"]["python"] != platform.python_version():
        pytest.skip(f"the page is about the text of Python {on_page['corpus']['python']}")
    measured = corpus(Task.of(standard_library()))
    assert measured["corpus"] == on_page["corpus"]
    assert measured["bigram"] == pytest.approx(on_page["bigram"])
    assert measured["unigram"] == pytest.approx(on_page["unigram"])


def test_every_way_to_train_learns(task: Task) -> None:
    guess = perplexity(task.unigram.probabilities[task.report.following.numpy()])
    for fit in (exact, by_samples):
        assert score(log_probabilities(fit(task, SETTINGS)), task.report).perplexity < guess / 6
    predict, parameters = adaptive(task, SETTINGS)
    assert score(predict, task.report).perplexity < guess / 3
    assert (
        0 < parameters < exact(task, replace(SETTINGS, steps=0)).regression.weights.numel() + 4 * len(task.vocabulary)
    )


def test_scores_equal_those_of_the_logits(task: Task) -> None:
    model = exact(task, replace(SETTINGS, steps=2))
    scores = score(log_probabilities(model), task.report)
    probabilities = model.regression.probabilities(model.features(task.report.contexts)).numpy()
    following = task.report.following.numpy()
    assert np.allclose(scores.confidence, probabilities.max(axis=1), atol=1e-6)
    assert np.allclose(np.exp(scores.log_probability), probabilities[np.arange(len(following)), following], atol=1e-6)
    assert np.array_equal(scores.hits(), probabilities.argmax(axis=1) == following)
    assert scores.hits(5).mean() >= scores.hits().mean()


@pytest.mark.slow
def test_chunks_use_less_memory_than_the_materialised_loss() -> None:
    classes, examples = 20_000, 256
    cell = costs((classes,), (examples,), 1)[str(classes)][str(examples)]
    assert set(cell) == set(ALL_WAYS) == {*WAYS, "adaptive"}
    chunked, materialised = cell["chunked"], cell["materialised"]
    assert chunked is not None
    assert materialised is not None
    assert chunk_columns(examples, classes, torch.float32, torch.device("cpu")) < classes / 10
    assert chunked.memory < materialised.memory / 2
    assert materialised.memory > 2 * 4 * classes * examples
    assert chunked.seconds > 0


@pytest.mark.slow
def test_quick_model_is_served() -> None:
    settings, task = vocabulary_served.small()
    values, measured = vocabulary_served.serve(exact(task, settings), task, settings)
    assert len(values["answer"]["predictions"]) == len(REQUEST["inputs"]) == 2
    assert values["served"]["sizes"]["train"] == len(task.train)
    assert measured["classes"] == len(task.vocabulary) > 1000
    assert measured["one"]["bytes"] < 2000 < 10 * measured["classes"] < measured["all"]["bytes"]
    assert 0 < measured["one"]["seconds"] < measured["many"]["seconds"]
    assert measured["many"]["contexts"] == 1024


def test_service_that_does_not_start_is_reported(tmp_path: Path) -> None:
    nowhere = serving(tmp_path / "nothing.onnx")
    with pytest.raises(TrainingError, match=r"the service did not start: demur: cannot read the model"), nowhere:
        pass
