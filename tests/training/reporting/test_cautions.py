"""Warnings about a fit: each where it applies, naming what to do, and none for a sound fit."""

import re
from typing import Any

import pytest

from service.contract.manifest import Manifest, Split
from service.contract.training import Selection, Tried
from tests import tiny
from training.reporting.cautions import doubts


def _manifest(training: dict[str, Any], rows: int, labels: list[int]) -> Manifest:
    sound = tiny.manifest()
    part = Split(size=rows, source="by hand", fingerprint="0" * 64)
    return sound.model_copy(
        update={
            "training": sound.training.model_copy(update=training),
            "data": sound.data.model_copy(update={"splits": dict.fromkeys(sound.data.splits, part)}),
            "reference": sound.reference.model_copy(update={"labels": labels}),
        }
    )


def _selected(edge: str | None, rows: int = 400, **settings: Any) -> dict[str, Any]:
    """A fit by the recipe auto; the settings that it did not choose lie at the other end of their path."""
    tried = {"lift": 0, "augment": "none", "weight_decay": 0.1, "loss": 0.5, "standard_error": None}
    other = "weakest" if edge == "strongest" else "strongest"
    trials = [Tried.model_validate(tried | {"edge": end}) for end in (other, edge)]
    selection = Selection(method="cross-validation", rows=rows, tried=trials, chosen=1)
    return {"recipe": "auto", "weight_decay": 0.1, "selection": selection, **settings}


BEST = {"keep": "best", "epochs": 25, "best_epoch": 12}
ALL = [10, 60, 30]


@pytest.mark.parametrize(
    ("training", "rows", "labels", "words"),
    [
        (BEST, 100, ALL, None),
        (BEST, 99, ALL, "The 99 rows of tune are too few to choose the best of 25 epochs on: use --recipe auto"),
        (BEST | {"keep": "last"}, 99, ALL, None),
        (BEST | {"best_epoch": 1}, 100, ALL, "The first of 25 epochs .* --learning-rate under 0.1, or --recipe auto"),
        (BEST | {"best_epoch": 25}, 100, ALL, "The last of 25 epochs .* Try --epochs 50, or --recipe auto"),
        (BEST | {"best_epoch": 25, "schedule": "cosine"}, 100, ALL, None),  # its last steps are the smallest
        (BEST | {"epochs": 1, "best_epoch": 1}, 100, ALL, None),
        (_selected(None), 50, ALL, None),
        (_selected(None, best_epoch=1, keep="best", epochs=9), 50, ALL, None),  # auto takes no learning rate
        (_selected("strongest"), 50, ALL, r"0\.1, is the strongest .*: try --weight-decay 0\.32, .* say little about"),
        (
            _selected("weakest"),
            50,
            ALL,
            r"0\.1, is the weakest of those tried: try --weight-decay 0\.032, ",
        ),
        (_selected(None, rows=29), 5, ALL, "chosen on 29 rows, .* or set --weight-decay and --lift"),
        (BEST, 100, [0, 70, 30], "On the 100 rows of calibration the model never predicts 'dark': use more examples"),
        (BEST, 100, [0, 100, 0], "never predicts 'dark', 'right': "),
    ],
)
def test_doubt_is_told_with_what_to_do(
    training: dict[str, Any], rows: int, labels: list[int], words: str | None
) -> None:
    found = doubts(_manifest(training, rows, labels))
    assert len(found) == (words is not None)
    if words is not None:
        assert re.search(words, found[0])


def test_of_many_classes_a_few_are_named() -> None:
    manifest = _manifest(BEST, 100, []).model_copy(update={"labels": [f"c{i}" for i in range(20)]})
    reference = manifest.reference.model_copy(update={"labels": [100] + [0] * 19})
    (found,) = doubts(manifest.model_copy(update={"reference": reference}))
    assert "never predicts 'c1', 'c2', 'c3', 'c4', 'c5' and 14 more: " in found
