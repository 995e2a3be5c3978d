"""Many fits at once: each equals the fit by itself, regardless of its neighbours."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from training.errors import DivergedError
from training.fitting.examples import Examples
from training.fitting.fit import Fit, fit
from training.fitting.recipes import CHAPTER, TUNED, FitSettings
from training.fitting.sweep import together
from training.fitting.sweep.together import Diverged, fit_together


def _examples(count: int, seed: int, dtype: torch.dtype = torch.float32) -> Examples:
    """Points in five dimensions labelled by the largest of three sums, a fifth of them incorrectly."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 5, generator=generator)
    labels = torch.stack([features[:, 0], features[:, 1], -features.sum(dim=1)], dim=1).argmax(dim=1)
    wrong = torch.rand(count, generator=generator) < 0.2
    labels[wrong] = torch.randint(3, (int(wrong.sum()),), generator=generator)
    return Examples(features.to(dtype), labels)


TRAIN, TUNE = _examples(500, 0), _examples(300, 1)
SHORT = dataclasses.replace(CHAPTER, epochs=4, batch_size=64)  # the last minibatch of an epoch is not full


def _runs(base: FitSettings = SHORT, **settings: Sequence[Any]) -> list[FitSettings]:
    """Runs that differ in the named settings, one for each place in the lists."""
    names = list(settings)
    rows = zip(*settings.values(), strict=True)
    return [dataclasses.replace(base, **dict(zip(names, row, strict=True))) for row in rows]


def _together(runs: list[FitSettings], train: Examples = TRAIN, tune: Examples = TUNE) -> list[Fit | Diverged]:
    return fit_together(train, tune, 3, runs, torch.Generator().manual_seed(7))


def _alone(run: FitSettings, train: Examples = TRAIN, tune: Examples = TUNE) -> Fit:
    return fit(train, tune, 3, run, torch.Generator().manual_seed(7))


def _assert_same(result: Fit | Diverged, alone: Fit, tolerance: float = 1e-5) -> None:
    assert isinstance(result, Fit)
    torch.testing.assert_close(result.model.weights, alone.model.weights, rtol=0, atol=tolerance)
    torch.testing.assert_close(result.model.biases, alone.model.biases, rtol=0, atol=tolerance)
    assert result.best_epoch == alone.best_epoch
    assert [epoch.number for epoch in result.history] == [epoch.number for epoch in alone.history]
    for epoch, other in zip(result.history, alone.history, strict=True):
        for quality, expected in ((epoch.train, other.train), (epoch.tune, other.tune)):
            assert quality.loss == pytest.approx(expected.loss, abs=tolerance)
            assert quality.accuracy == expected.accuracy


@pytest.mark.parametrize(
    "runs",
    [
        _runs(learning_rate=[0.001, 0.03, 0.5]),
        _runs(learning_rate=[0.05, 0.05, 0.1], momentum=[0.0, 0.9, 0.5]),
        _runs(learning_rate=[0.1, 0.2], momentum=[0.9, 0.8], schedule=["cosine", "constant"]),
        _runs(learning_rate=[0.1, 0.2], schedule=["constant", "cosine"]),
        _runs(learning_rate=[0.1, 0.1, 0.1], weight_decay=[0.0, 0.01, 0.3]),
        _runs(learning_rate=[0.1, 0.1], weight_decay=[0.0, 0.1], momentum=[0.9, 0.9], schedule=["cosine", "cosine"]),
        _runs(learning_rate=[0.1, 0.1, 0.1], clip_norm=[None, 0.1, 0.3]),
        _runs(learning_rate=[0.1, 0.1], clip_norm=[0.1, 0.2], weight_decay=[0.1, 0.2], momentum=[0.9, 0.0]),
        _runs(TUNED, learning_rate=[0.01, 0.5], epochs=[12, 12], batch_size=[16, 16]),
        _runs(learning_rate=[1.0, 1.0, 0.1], keep=["best", "last", "best"], batch_size=[4, 4, 4]),
        _runs(learning_rate=[0.1], batch_size=[10_000]),  # all in one minibatch
    ],
)
def test_each_run_equals_the_single_fit(runs: list[FitSettings]) -> None:
    for run, result in zip(runs, _together(runs), strict=True):
        _assert_same(result, _alone(run))


def test_double_precision_equals_the_single_fit() -> None:
    train, tune = _examples(500, 0, torch.float64), _examples(300, 1, torch.float64)
    runs = _runs(learning_rate=[0.03, 0.5], momentum=[0.5, 0.9], precision=["float64", "float64"])
    for run, result in zip(runs, _together(runs, train, tune), strict=True):
        _assert_same(result, _alone(run, train, tune), 1e-13)


def test_keep_best_and_keep_last_end_differently() -> None:
    """Otherwise the comparison above would not test `keep`."""
    best, last = _together(_runs(learning_rate=[1.0, 1.0], keep=["best", "last"], batch_size=[4, 4]))
    assert isinstance(best, Fit)
    assert isinstance(last, Fit)
    assert best.best_epoch < last.best_epoch == 4
    assert not torch.equal(best.model.weights, last.model.weights)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_diverging_run_reports_its_epoch_and_spoils_no_other(momentum: float) -> None:
    rates = [0.1, 1e38, 0.3, 3e37]
    first, diverged, second, other = _together(_runs(learning_rate=rates, momentum=[momentum] * 4))
    for result in (diverged, other):
        assert isinstance(result, Diverged)
        assert len(result.history) == result.epoch - 1
    assert isinstance(diverged, Diverged)
    with pytest.raises(DivergedError, match=f"diverged in epoch {diverged.epoch}:"):
        _alone(_runs(learning_rate=[1e38], momentum=[momentum])[0])
    for rate, result in ((0.1, first), (0.3, second)):
        _assert_same(result, _alone(_runs(learning_rate=[rate], momentum=[momentum])[0]))


def test_divergence_after_some_epochs_keeps_the_history_before_it() -> None:
    """With weight decay times rate over 2, the weights grow by a constant factor per step until they overflow."""
    diverged, steady = _together(_runs(learning_rate=[1.0, 0.1], weight_decay=[40.0, 0.0], epochs=[12, 12]))
    assert isinstance(diverged, Diverged)
    assert 1 < diverged.epoch < 12
    assert [epoch.number for epoch in diverged.history] == list(range(1, diverged.epoch))
    _assert_same(steady, _alone(_runs(learning_rate=[0.1], epochs=[12])[0]))


def test_all_runs_may_diverge() -> None:
    result = _together(_runs(learning_rate=[1e38, 1e38]))
    assert all(isinstance(run, Diverged) for run in result)


def test_huge_but_finite_loss_is_not_divergence() -> None:
    (result,) = _together(_runs(learning_rate=[1e6]))
    assert isinstance(result, Fit)
    assert result.history[-1].tune.loss > 1e4


def test_runs_split_over_several_products_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = _runs(learning_rate=[0.01, 0.03, 0.1, 0.3, 1.0], momentum=[0.5] * 5)
    at_once, told = _together(runs), list[int]()
    monkeypatch.setattr(together, "_MAX_WEIGHTS", 2 * 3 * 5)  # two runs
    in_parts = fit_together(TRAIN, TUNE, 3, runs, torch.Generator().manual_seed(7), told.append)
    assert told == [2] * 4 + [2] * 4 + [1] * 4
    for result, other in zip(in_parts, at_once, strict=True):
        assert isinstance(other, Fit)
        _assert_same(result, other, 1e-6)


def test_equal_logits_count_for_the_first_class() -> None:
    """With features of zero, only the equal initial biases count: the first class wins, as in a single fit."""
    zeros = Examples(torch.zeros(6, 5), torch.tensor([0, 0, 1, 2, 1, 0]))
    (run,) = _runs(learning_rate=[1e-30], batch_size=[6], epochs=[1])
    (result,) = _together([run], zeros, zeros)
    assert isinstance(result, Fit)
    assert result.history[0].tune.accuracy == result.history[0].train.accuracy == 0.5


def test_runs_with_different_minibatches_are_rejected() -> None:
    with pytest.raises(ValueError, match="batch size, epochs or precision"):
        _together(_runs(learning_rate=[0.1, 0.1], batch_size=[32, 64]))
