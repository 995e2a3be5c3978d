"""The fit by L-BFGS finds the minimum that scikit-learn finds, from any source and in any number of processes."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from service.contract.inputs import FeaturesInput
from tests.together import together
from tests.training.fitting.lifts import lift_on, with_products
from training.data.dataset import Labelled
from training.data.encoders import FeatureEncoder
from training.errors import DivergedError
from training.fitting import full_batch as full_batch_module
from training.fitting.examples import Examples, Levels, Source
from training.fitting.fit import Fit
from training.fitting.full_batch import Spectrum, fit_full_batch
from training.fitting.lift import QuadraticLift
from training.fitting.recipes import full_batch
from training.fitting.shifted import with_moved
from training.fitting.streaming import CHUNK, StreamedExamples
from training.fitting.workers import ALONE, Workers

CLASSES = 3
CPU = torch.device("cpu")


def _examples(count: int, width: int, seed: int = 0) -> Examples:
    """Three classes that overlap, in float64; the features are correlated and have a mean."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    features = torch.randn(count, width, generator=generator, dtype=torch.float64) @ mix / math.sqrt(width)
    noise = torch.randn(count, CLASSES, generator=generator, dtype=torch.float64)
    return Examples(features + 2, (features[:, :CLASSES] + noise).argmax(dim=1))


def _scaled(examples: Examples, scales: list[float]) -> Examples:
    return dataclasses.replace(examples, stored=examples.stored * torch.tensor(scales, dtype=torch.float64))


def _cast(examples: Examples, dtype: torch.dtype) -> Examples:
    return dataclasses.replace(examples, stored=examples.stored.to(dtype))


def _fit(
    train: Source,
    tune: Source,
    decay: float = 0.01,
    *,
    lift: QuadraticLift | None = None,
    workers: Workers = ALONE,
    tolerance: float = 1e-10,
) -> Fit:
    settings = full_batch(len(train), decay)
    return fit_full_batch(train, tune, CLASSES, settings, lift=lift, workers=workers, tolerance=tolerance)


def _by_scikit_learn(features: Tensor, labels: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Weights `[D, C]` and biases `[C]`; its C weighs the sum of the losses against half the squares."""
    model = LogisticRegression(C=1 / (decay * len(labels)), tol=1e-10, max_iter=100_000)
    model.fit(features.double().numpy(), labels.numpy())
    return torch.from_numpy(model.coef_.T), torch.from_numpy(model.intercept_)


def _objective(weights: Tensor, biases: Tensor, features: Tensor, labels: Tensor, decay: float) -> float:
    loss = torch.nn.functional.cross_entropy(features.double() @ weights.double() + biases.double(), labels)
    return float(loss + 0.5 * decay * weights.double().square().sum())


WIDE = _examples(40, 100)
CASES = {
    "plain": _examples(400, 5),
    "more features than rows": WIDE,
    "of unequal scales": _scaled(_examples(400, 5), [1.0, 1e-3, 30.0, 1.0, 1e-2]),
    "a constant and a double": _scaled(_examples(400, 5), [1.0, 1.0, 1.0, 0.0, 0.0]),
    "one outlier": _scaled(_examples(400, 4), [1.0] * 4),
}
CASES["a constant and a double"].stored[:, 3] = 7.0
CASES["a constant and a double"].stored[:, 4] = CASES["a constant and a double"].stored[:, 0]
CASES["one outlier"].stored[0] *= 1000
CASES["one outlier"].stored.sub_(CASES["one outlier"].stored.mean(dim=0)).div_(CASES["one outlier"].stored.std(dim=0))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("decay", [1.0, 1e-3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("most", [2048, 3], ids=["axes", "no axes"])
def test_minimum_is_that_of_scikit_learn(
    monkeypatch: pytest.MonkeyPatch, case: str, decay: float, dtype: torch.dtype, most: int
) -> None:
    monkeypatch.setattr(full_batch_module, "_MAX_DECOMPOSED", most)
    train = CASES[case]
    expected = _by_scikit_learn(train.stored, train.labels, decay)
    model = _fit(_cast(train, dtype), _cast(train, dtype), decay).model
    assert model.weights.dtype == dtype
    own, best = (_objective(w, b, train.stored, train.labels, decay) for w, b in [model.tensors, expected])
    assert own == pytest.approx(best, rel=1e-5 if dtype == torch.float32 else 1e-8)
    logits, others = (train.stored @ w.double() + b.double() for w, b in [model.tensors, expected])
    torch.testing.assert_close(logits.softmax(dim=1), others.softmax(dim=1), rtol=0, atol=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lift_is_a_fit_on_products(dtype: torch.dtype) -> None:
    train = _examples(300, 6)
    lift = lift_on(train.features, 4)
    wide = Examples(with_products(train.features, lift), train.labels)
    expected = _by_scikit_learn(wide.features, wide.labels, 0.01)
    model = _fit(_cast(train, dtype), _cast(train, dtype), lift=lift).model
    torch.testing.assert_close(model.weights.double(), expected[0][:6], rtol=0, atol=1e-3)
    torch.testing.assert_close(
        model.logits(train.features.to(dtype)).double().log_softmax(dim=1),
        (wide.features @ expected[0] + expected[1]).log_softmax(dim=1),
        rtol=0,
        atol=1e-3,
    )


def test_bytes_are_fitted_as_the_features_that_they_stand_for() -> None:
    generator = torch.Generator().manual_seed(0)
    stored = torch.randint(0, 256, (90, 12), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (90,), generator=generator)
    bytes_, features = (Examples(stored, labels, Levels(255.0, torch.float64)), Examples(stored / 255.0, labels))
    features = _cast(Examples(bytes_.features, labels), torch.float64)
    for source in (lambda one: one, lambda one: with_moved(one, (3, 4, 1))):
        own, other = (_fit(source(one), source(one)) for one in (bytes_, features))
        torch.testing.assert_close(own.model.weights, other.model.weights)


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> tuple[StreamedExamples, Examples]:
    """Some rows of a memory map of more than one chunk, and the same in memory."""
    made = _examples(CHUNK + 300, 4)
    path = tmp_path_factory.mktemp("streamed") / "rows.npy"
    np.save(path, made.features.float().numpy())
    part = Labelled("by hand", np.load(path, mmap_mode="r"), made.labels.numpy())
    part = part.take(np.random.default_rng(0).permutation(CHUNK + 171))
    source = StreamedExamples(part, FeatureEncoder(FeaturesInput(width=4), np.zeros(4), np.ones(4)), CPU, torch.float64)
    return source, Examples(torch.from_numpy(part.inputs).double(), torch.from_numpy(part.labels))


@pytest.mark.parametrize("most", [2048, 3], ids=["axes", "no axes"])
def test_no_decay_and_constant_features(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(full_batch_module, "_MAX_DECOMPOSED", most)
    train = CASES["a constant and a double"]
    fitted = _fit(train, train, 0.0)
    expected = _by_scikit_learn(train.stored, train.labels, 1e-9)
    best = _objective(*expected, train.stored, train.labels, 0.0)
    assert fitted.history[-1].train.loss == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize("lifted", [False, True], ids=["plain", "lifted"])
@pytest.mark.parametrize("size", [1, 3])
def test_streams_and_workers_give_the_fit_of_one_process_in_memory(
    streamed: tuple[StreamedExamples, Examples], lifted: bool, size: int
) -> None:
    from_file, in_memory = streamed
    tune = _examples(101, 4, seed=1)
    lift = lift_on(in_memory.features, 3) if lifted else None
    alone = _fit(in_memory, tune, lift=lift)
    fits = together(lambda workers: _fit(from_file, tune, lift=lift, workers=workers), size)
    for fitted in fits:
        for tensor, expected in zip(fitted.model.tensors, alone.model.tensors, strict=True):
            torch.testing.assert_close(tensor, expected, rtol=1e-4, atol=1e-6)
        assert all(map(torch.equal, fitted.model.tensors, fits[0].model.tensors))  # bit for bit
        assert fitted.history == fits[0].history
        assert fitted.history[-1].train.accuracy == alone.history[-1].train.accuracy
        assert fitted.history[-1].tune.loss == pytest.approx(alone.history[-1].tune.loss, rel=1e-5)


def test_more_workers_than_rows() -> None:
    train = _examples(2, 4)
    alone = _fit(train, train)
    for fitted in together(lambda workers: _fit(train, train, workers=workers), 3):
        torch.testing.assert_close(fitted.model.weights, alone.model.weights, rtol=0, atol=1e-4)


def test_every_epoch_is_recorded_and_the_last_is_kept() -> None:
    train, tune = _examples(300, 5), _examples(60, 5, seed=1)
    tune = tune.take((tune.labels != 2).nonzero().squeeze(1))  # a class is missing
    told: list[int] = []
    fitted = fit_full_batch(
        train, tune, CLASSES, full_batch(300, 0.01), lambda epoch: told.append(epoch.number), tolerance=1e-8
    )
    assert told == [epoch.number for epoch in fitted.history] == list(range(1, fitted.best_epoch + 1))
    last = fitted.history[-1]
    losses = torch.nn.functional.cross_entropy(fitted.model.logits(tune.features), tune.labels)
    assert last.tune.loss == pytest.approx(float(losses))
    losses = torch.nn.functional.cross_entropy(fitted.model.logits(train.features), train.labels)
    assert last.train.loss == pytest.approx(float(losses))


def test_start_at_the_minimum_is_kept() -> None:
    train = _examples(300, 5)
    fitted = _fit(train, train)
    again = fit_full_batch(train, train, CLASSES, full_batch(300, 0.01), start=fitted.model)
    assert len(again.history) == again.best_epoch == 1
    torch.testing.assert_close(again.model.weights, fitted.model.weights, rtol=1e-3, atol=1e-5)


def test_infinite_loss_on_tune_is_an_error_with_a_way_out() -> None:
    train, tune = _examples(300, 5), _examples(60, 5, seed=1)
    tune.stored[7] = math.inf
    with pytest.raises(DivergedError, match=r"^the fit diverged in epoch 1: .* on tune nan\. Look for extreme values"):
        _fit(train, tune)


@pytest.mark.parametrize(("count", "width"), [(50, 6), (6, 50)])
@pytest.mark.parametrize("most", [2048, 3], ids=["axes", "no axes"])
def test_spectrum_divides_by_the_variances(monkeypatch: pytest.MonkeyPatch, count: int, width: int, most: int) -> None:
    monkeypatch.setattr(full_batch_module, "_MAX_DECOMPOSED", most)
    train = _examples(count, width)
    spectrum = Spectrum.of(train)
    covariance = train.features.T.cov(correction=0)
    expected = covariance if most > width else covariance.diagonal().diag()
    weights = train.features[:2] - train.features.mean(dim=0)  # as a gradient, of directions in which features vary
    inverse = torch.linalg.inv(0.5 * expected + 0.1 * torch.eye(width, dtype=torch.float64))
    torch.testing.assert_close(spectrum.divide(weights, 0.5, 0.1), weights @ inverse, rtol=1e-5, atol=1e-6)
    assert spectrum.mean_variance == pytest.approx(float(covariance.diagonal().mean()), rel=1e-5)
