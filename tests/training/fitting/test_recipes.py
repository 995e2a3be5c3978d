"""The recipes' numbers."""

import dataclasses

from training.fitting.recipes import CHAPTER, RECIPES


def test_chapter_recipe_matches_the_chapter() -> None:
    assert dataclasses.asdict(CHAPTER) == {
        "epochs": 10,
        "batch_size": 256,
        "learning_rate": 0.1,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "schedule": "constant",
        "clip_norm": None,
        "keep": "last",
        "precision": "float32",
        "lift": 0,
        "augment": "none",
        "optimizer": "sgd",
    }
    assert RECIPES["chapter"] is CHAPTER
