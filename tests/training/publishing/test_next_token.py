"""From a fit to answers by HTTP: a next-token model, published, served, and compared with torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from service.app import create_app
from service.inference.classifier import Classifier
from service.settings import Settings
from tests.service.asking import RAW, send
from tests.training.data.text import made
from training.data.splits import Splits
from training.data.text.corpus import UNKNOWN, Corpus, divide
from training.data.text.task import Task
from training.errors import DataError, TrainingError
from training.fitting.next_token import NextToken, NextTokenSettings, fit_next_token
from training.publishing.next_token import SIZES, data, publish_next_token, release_options, splits
from training.publishing.release import Release
from training.reporting.evaluation.reproduce import reproduce

SETTINGS = NextTokenSettings(width=4, batch_size=256, learning_rate=0.05, steps=120)


@pytest.fixture(scope="module")
def task() -> Task:
    return Task.of(made.corpus())


@pytest.fixture(scope="module")
def model(task: Task) -> NextToken:
    return fit_next_token(task.vocabulary.tokens, task.train.contexts, task.train.following, SETTINGS)


@pytest.fixture(scope="module")
def published(task: Task, model: NextToken, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Release]:
    path = tmp_path_factory.mktemp("published") / "next-token.onnx"
    return path, publish_next_token(model, task, SETTINGS, release_options(path))


@pytest.fixture(scope="module")
def client(published: tuple[Path, Release]) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(model_path=published[0]))) as client:
        yield client


@pytest.fixture(scope="module")
def parts(task: Task) -> Splits:
    return splits(task, SETTINGS.seed)


def _by_torch(model: NextToken, released: Release, contexts: NDArray[np.int64]) -> NDArray[np.float64]:
    features = model.features(torch.from_numpy(contexts)).double()
    logits = model.regression.to(dtype=torch.float64).logits(features)
    return torch.softmax(logits / released.classifier.manifest.temperature, dim=1).numpy()


def test_file_equals_torch(published: tuple[Path, Release], model: NextToken, parts: Splits) -> None:
    path, released = published
    contexts = parts.report.inputs[:300]
    probabilities = Classifier.load(path).scores(contexts).probabilities
    assert probabilities.shape[1] == len(model.tokens) > 1000
    np.testing.assert_allclose(probabilities, _by_torch(model, released, contexts), atol=1e-6)
    assert released.difference <= 1e-6


def test_service_lists_the_likeliest_tokens(
    client: TestClient, published: tuple[Path, Release], model: NextToken, parts: Splits
) -> None:
    contexts = parts.report.inputs[:50]
    answer = send(client, contexts.tobytes(), RAW).json()
    for prediction, row in zip(answer["predictions"], _by_torch(model, published[1], contexts), strict=True):
        assert prediction["probabilities"] is None
        best = row.argsort()[::-1][:3]
        np.testing.assert_allclose([entry["probability"] for entry in prediction["top_k"]], row[best], atol=1e-6)
        assert prediction["top_k"][0]["label"] == model.tokens[best[0]]


def test_service_decides_by_the_certificate(client: TestClient, published: tuple[Path, Release], parts: Splits) -> None:
    abstention = published[1].classifier.manifest.abstention
    assert abstention is not None
    (certificate,) = (c for c in abstention.selective_risk if c.selective_risk == 0.05)
    assert certificate.status == "certified"
    assert certificate.threshold is not None
    scores = published[1].classifier.scores(parts.report.inputs[:300])
    inside = scores.ood_score.astype(float) <= abstention.out_of_distribution.threshold
    expected = inside & (scores.confidence.astype(float) >= certificate.threshold)
    body = parts.report.inputs[:300].tobytes()
    answer = client.post("/predict?selective_risk=0.05", content=body, headers={"content-type": RAW}).json()
    assert answer["policy"]["threshold"] == certificate.threshold
    assert [prediction["decision"] == "answer" for prediction in answer["predictions"]] == expected.tolist()
    assert 0 < expected.sum() < len(expected)


def test_words_are_accepted_as_text(client: TestClient) -> None:
    answer: dict[str, Any] = client.post(
        "/predict", json={"inputs": [["b", "=", "(", "c"], ["never", "seen", "such", "words"]]}
    ).json()
    assert answer["predictions"][0]["label"] == "+"
    assert answer["predictions"][1]["decision"] == "abstain"


def test_drift_and_feedback_work_for_the_model(client: TestClient, parts: Splits, model: NextToken) -> None:
    answer = send(client, parts.report.inputs[:1000].tobytes(), RAW).json()
    drift = client.get("/drift").json()
    assert drift["inputs"] >= 1000
    assert drift["confidence"]["status"] != "too_few_inputs"
    label = model.tokens[parts.report.labels[0]]
    given = client.post("/feedback", json={"id": answer["predictions"][0]["id"], "label": label})
    assert given.status_code == 200, given.text


def test_manifest_says_how_it_was_fitted(published: tuple[Path, Release]) -> None:
    manifest = published[1].classifier.manifest
    training = manifest.training
    assert (training.recipe, training.optimizer, training.momentum) == ("next-token", "adam", 0.9)
    assert training.epochs == training.best_epoch == 1  # of at least 262 minibatches
    assert manifest.abstention is not None
    assert {sets.method for sets in manifest.abstention.prediction_sets} == {"by_decision", "lac"}
    population = manifest.abstention.selective_risk[0].population
    assert population.startswith("10,000 places drawn at random, each independently, from the 10,")
    assert "of 4 files of the made text that no other split has" in population
    assert "for other files as far as they are like these" in population


def test_splits_are_drawn_from_separate_files(task: Task, parts: Splits) -> None:
    assert parts.calibration is not None
    assert len(parts.calibration) == SIZES["calibration"]
    divided = divide(task.corpus.texts)
    held_out = zip(
        (parts.tune, parts.calibration, parts.report), (divided.tune, divided.calibration, divided.report), strict=True
    )
    for part, files in held_out:
        its_own = {token for text in files for token in text} | {UNKNOWN}
        assert {task.vocabulary.tokens[i] for i in np.unique(part.labels)} <= its_own
    assert len(parts.train) == len(task.train)
    assert not np.array_equal(parts.train.labels[:100], task.train.following[:100].numpy())


def test_seed_decides_the_draws(task: Task) -> None:
    first, second, other = (splits(task, seed) for seed in (0, 0, 1))
    assert first.tune.fingerprint() == second.tune.fingerprint() != other.tune.fingerprint()


def test_same_fit_gives_the_same_file(
    task: Task, model: NextToken, published: tuple[Path, Release], tmp_path: Path
) -> None:
    publish_next_token(model, task, SETTINGS, release_options(tmp_path / "again.onnx"))
    assert (tmp_path / "again.onnx").read_bytes() == published[0].read_bytes()


def test_evaluate_rejects_texts(task: Task, published: tuple[Path, Release]) -> None:
    with pytest.raises(TrainingError, match="`evaluate` cannot read texts"):
        reproduce(published[1].classifier.manifest, data(task))


def test_texts_that_hold_nothing_to_predict_are_named() -> None:
    with pytest.raises(DataError, match="no token occurs twice in the training files"):
        Task.of(Corpus("empty", "the empty text", {f"{i}": [f"word{i}"] for i in range(10)}))
    short = Task.of(Corpus("short", "the short text", {f"{i}": ["a"] for i in range(10)}))
    with pytest.raises(DataError, match="the files of train hold no place with 4 tokens before it"):
        splits(short, 0)
