"""The choice on a large tune split, and the fit that comes with it."""

from typing import Any

import pytest
import torch

from tests.training.fitting.auto.made import Truth, examples, search
from tests.training.fitting.lifts import lift_on
from training.fitting.auto.many_rows import Finished, ManyRows, losses_of
from training.fitting.auto.trials import Trial
from training.fitting.fit import Epoch, evaluate
from training.fitting.regression import SoftmaxRegression

TRAIN, TUNE = 6000, 1500


def _choose(truth: Truth, **given: Any) -> Finished:
    train, tune = examples(truth, TRAIN), examples(truth, TUNE, seed=1)
    return ManyRows(train, tune, search(train.features, **given)).choose()


@pytest.mark.parametrize(("truth", "lift"), [("linear", 0), ("quadratic", 4), ("noise", 0)])
def test_lift_is_chosen_where_no_line_separates(truth: Truth, lift: int) -> None:
    told: list[Trial] = []
    found = _choose(truth, on_trial=told.append)
    assert (found.chosen.lift, found.settings.lift, found.chosen.augment) == (lift, lift, "none")
    assert any(trial is found.chosen for trial in found.trials)
    # A short fit that was chosen has been fitted to its end, and stands for itself no more.
    assert [trial.lift for trial in found.trials] == [0, 4]
    assert [(trial.lift, trial.short) for trial in told] == [(0, False), (4, True), (4, False)][: 3 if lift else 2]
    assert found.settings.optimizer == ("sgd" if lift else "lbfgs")
    assert (found.fit.model.lift is not None) == bool(lift)
    tune = examples(truth, TUNE, seed=1)
    assert losses_of(found.fit.model, tune).mean() == pytest.approx(evaluate(found.fit.model, tune).loss, rel=1e-5)
    best = {"linear": 0.35, "quadratic": 0.45, "noise": 0.7}[truth]
    assert evaluate(found.fit.model, tune).loss < best


@pytest.mark.parametrize(
    "given", [{"weight_decay": 0.002}, {"lift": 0}, {"lift": 2}, {"lift": 2, "weight_decay": 0.5}, {"augment": "none"}]
)
def test_given_settings_are_kept(given: dict[str, Any]) -> None:
    found = _choose("quadratic", **given)
    for trial in found.trials:
        for name, value in given.items():
            assert getattr(trial, name) == value
    for name, value in given.items():
        assert getattr(found.settings, name) == pytest.approx(value)


@pytest.mark.parametrize(("augment", "chosen"), [(None, "none"), ("shift", "shift"), ("none", "none")])
def test_moved_pictures_are_tried_unless_given(augment: Any, chosen: str) -> None:
    """Features of 2 x 2 pixels, whose places mean something: to move them does harm."""
    found = _choose("linear", picture=(2, 2, 1), lift=2, augment=augment)
    assert (found.chosen.augment, found.settings.augment) == (chosen, chosen)
    assert [trial.augment for trial in found.trials] == (["none", "shift"] if augment is None else [augment])


def test_epochs_of_the_fit_are_told() -> None:
    epochs: list[Epoch] = []
    found = _choose("linear", weight_decay=0.01, lift=2, on_epoch=epochs.append)
    assert epochs == found.fit.history


def test_losses_are_in_the_order_of_the_rows() -> None:
    made = examples("quadratic", 3000)  # more than are scored at a time
    lift = lift_on(made.features, 2)
    model = SoftmaxRegression.initial(4, 2, torch.Generator().manual_seed(0), lift).to(dtype=torch.float64)
    expected = torch.nn.functional.cross_entropy(model.logits(made.features), made.labels, reduction="none")
    torch.testing.assert_close(losses_of(model, made), expected.float())
