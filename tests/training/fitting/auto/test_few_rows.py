"""Cross-validation over few rows: the losses of scikit-learn's fits of the folds, and the simplest of the best."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from tests.training.fitting.auto.made import Truth, examples, search
from tests.training.fitting.lifts import lift_on, with_products
from training.fitting.auto import few_rows
from training.fitting.auto.few_rows import FOLDS, FewRows, Rows, folds
from training.fitting.auto.trials import Trial
from training.fitting.examples import Examples
from training.fitting.lift import QuadraticLift
from training.fitting.recipes import Augment
from training.fitting.shifted import moved_to_sides


def _rows(made: Examples, groups: np.ndarray | None = None, moved: Tensor | None = None, classes: int = 2) -> Rows:
    return Rows(made.features, made.labels, folds(len(made), groups, 0), classes, moved)


def _losses_by_fold(rows: Rows, lift: QuadraticLift | None, decay: float) -> Tensor:
    """A fit of scikit-learn for each fold, on all other rows and their moved copies."""
    own = with_products(rows.features, lift)
    moved = [] if rows.moved is None else torch.split(with_products(rows.moved, lift), len(own))
    losses = torch.zeros(len(own), dtype=torch.float64)
    for fold in torch.unique(rows.folds):
        kept = rows.folds != fold
        features = torch.cat([copy[kept] for copy in (own, *moved)]).numpy()
        labels = rows.labels[kept].repeat(1 + len(moved)).numpy()
        model = LogisticRegression(C=1 / (decay * len(labels)), tol=1e-10, max_iter=10_000).fit(features, labels)
        p = torch.from_numpy(model.predict_proba(own[~kept].numpy()))
        losses[~kept] = -p.gather(1, rows.labels[~kept, None]).squeeze(1).log()
    return losses


def _three_classes(count: int, width: int) -> Examples:
    made = examples("linear", count, width)
    return Examples(made.features, made.features[:, :3].argmax(dim=1))


@pytest.mark.parametrize("lift", [0, 3])
@pytest.mark.parametrize("decay", [0.3, 0.003])
@pytest.mark.parametrize(("count", "width"), [(90, 5), (30, 60)], ids=["more rows", "more features"])
def test_losses_are_those_of_a_fit_for_each_fold(
    monkeypatch: pytest.MonkeyPatch, lift: int, decay: float, count: int, width: int
) -> None:
    monkeypatch.setattr(few_rows, "_TOLERANCE", 1e-9)
    monkeypatch.setattr(few_rows, "_TEMPERATURES", 1)
    made = _three_classes(count, width)
    rows = _rows(made, classes=3)
    chosen, _ = FewRows(rows, search(made.features, classes=3, weight_decay=decay, lift=lift)).choose()
    assert (chosen.lift, chosen.weight_decay) == (lift, decay)
    expected = _losses_by_fold(rows, lift_on(made.features, lift) if lift else None, decay)
    torch.testing.assert_close(chosen.losses, expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("augment", ["none", "shift"])
def test_moved_copies_are_trained_on_in_the_place_of_their_rows(
    monkeypatch: pytest.MonkeyPatch, augment: Augment
) -> None:
    """Those of a fold that is scored are left out with it."""
    monkeypatch.setattr(few_rows, "_TOLERANCE", 1e-9)
    made = _three_classes(60, 6)
    moved = torch.cat(list(moved_to_sides(made.features, (2, 3, 1))))
    rows = _rows(made, moved=moved, classes=3)
    options = {"classes": 3, "weight_decay": 0.03, "lift": 0, "picture": (2, 3, 1), "augment": augment}
    chosen, _ = FewRows(rows, search(made.features, **options)).choose()
    assert chosen.augment == augment
    expected = _losses_by_fold(rows if augment == "shift" else _rows(made, classes=3), None, 0.03)
    torch.testing.assert_close(chosen.losses, expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize(("near", "augment"), [(True, "shift"), (False, "none")])
def test_pictures_are_moved_only_where_it_helps(near: bool, augment: Augment) -> None:
    """A spot in the left or the right half; or in an odd or even column, so that a neighbour is of the other class."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = (torch.randint(0, 8, (100,), generator=generator) for _ in range(2))
    pictures = torch.zeros(100, 8, 8, dtype=torch.float64)
    pictures[torch.arange(100), rows, columns] = 8
    features = pictures.flatten(1)
    made = Examples(features, columns // 4 if near else columns % 2)
    options = {"picture": (8, 8, 1), "lift": 0, "variance": float(features.var(dim=0).mean())}
    moved = torch.cat(list(moved_to_sides(features, (8, 8, 1))))
    chosen, trials = FewRows(_rows(made, moved=moved), search(features, **options)).choose()
    assert [trial.augment for trial in trials] == ["none", "shift"]
    assert chosen.augment == augment


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(41), 5)], ids=["rows", "groups"])
def test_folds_are_of_about_equal_sizes_and_keep_groups_together(groups: np.ndarray | None) -> None:
    made = folds(205, groups, 3)
    assert torch.unique(made).tolist() == list(range(FOLDS))
    assert set(made.bincount().tolist()) <= ({41} if groups is None else {40, 45})
    if groups is not None:
        assert all(len(torch.unique(made[torch.from_numpy(groups == group)])) == 1 for group in range(41))
    assert torch.equal(made, folds(205, groups, 3))
    assert not torch.equal(made, folds(205, groups, 4))


@pytest.mark.parametrize("count", [2, 4])
def test_fewer_groups_than_folds_are_folds_themselves(count: int) -> None:
    made = examples("linear", 40)
    rows = _rows(made, np.arange(40) % count)
    assert len(torch.unique(rows.folds)) == count
    chosen, _ = FewRows(rows, search(made.features)).choose()
    assert chosen.losses.isfinite().all()


@pytest.mark.parametrize(("truth", "lifts"), [("linear", [0]), ("quadratic", [4]), ("noise", [0])])
def test_simplest_of_the_best_is_chosen(truth: Truth, lifts: list[int]) -> None:
    made = examples(truth, 300)
    told: list[Trial] = []
    chosen, trials = FewRows(_rows(made), search(made.features, on_trial=told.append)).choose()
    assert [chosen.lift] == lifts
    assert [trial.lift for trial in trials] == [0, 4]  # all four coordinates: more there are not
    assert told == trials
    if truth == "noise":
        assert chosen.weight_decay == 1.0  # the strongest
    else:
        assert chosen.weight_decay < 1.0
        assert chosen.loss < 0.6  # log 2 is 0.69


def test_one_row_of_a_class_is_no_error() -> None:
    made = examples("linear", 40)
    labels = torch.zeros(40, dtype=torch.int64)
    labels[7] = 1
    chosen, _ = FewRows(_rows(Examples(made.features, labels)), search(made.features)).choose()
    assert chosen.losses.isfinite().all()


def test_equal_inputs_are_no_error() -> None:
    same = torch.ones(40, 3, dtype=torch.float64)
    chosen, _ = FewRows(_rows(Examples(same, torch.arange(40) % 2)), search(same)).choose()
    assert chosen.lift == 0
    assert chosen.loss == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("height", [2, 22], ids=["more rows", "more pixels"])
def test_no_decay_and_constant_pixels(moved: bool, height: int) -> None:
    made = _three_classes(60, 3 * height)
    pictures = made.features.view(60, height, 3)
    pictures[:, :2] = 0  # and below a row of pixels moves in from itself
    copies = torch.cat(list(moved_to_sides(made.features, (height, 3, 1))))
    copies[:, :3] = 0
    options = {"classes": 3, "weight_decay": 0.0, "lift": 0, "picture": (height, 3, 1) if moved else None}
    rows = _rows(made, moved=copies if moved else None, classes=3)
    _, trials = FewRows(rows, search(made.features, **options)).choose()
    assert len(trials) == 1 + moved
    assert all(trial.losses.isfinite().all() for trial in trials)
    if height == 2:  # with more pixels the fits leave what they have not seen where it was
        assert all(trial.losses.std() > 0.01 for trial in trials)


def test_temperature_softens_weights_that_a_weak_decay_lets_grow() -> None:
    made = _three_classes(30, 60)
    rows = _rows(made, classes=3)
    chosen, _ = FewRows(rows, search(made.features, classes=3, weight_decay=1e-7, lift=0)).choose()
    assert chosen.temperature > 1.2
    plain = _losses_by_fold(rows, None, 1e-7)
    assert chosen.loss < float(plain.mean())
