"""Moved pictures: each is as it was or has moved by one pixel, with its own label, and evaluation sees none of it."""

import pytest
import torch

from service.contract.inputs import FeaturesInput, ImageInput
from training.errors import TrainingError
from training.fitting.examples import Examples, Levels
from training.fitting.shifted import Shifted, picture_of

HEIGHT, WIDTH, COLOURS = 4, 5, 3
N = 600
SPOT = (1, 2)  # row and column of the only pixel that is not black

LABELS = torch.arange(N) % 7
PICTURES = torch.zeros(N, HEIGHT, WIDTH, COLOURS, dtype=torch.uint8)
PICTURES[:, SPOT[0], SPOT[1]] = (LABELS[:, None] * 3 + torch.arange(COLOURS) + 1).to(torch.uint8)
SOURCE = Shifted(Examples(PICTURES.flatten(1), LABELS, Levels(255.0, torch.float32)), (HEIGHT, WIDTH, COLOURS))


def _places(seed: int) -> list[tuple[int, int]]:
    """Where the spot of each example of an epoch is; checks its colours and its label."""
    places = []
    for batch in SOURCE.minibatches(128, torch.Generator().manual_seed(seed)):
        pictures = batch.stored.view(-1, HEIGHT, WIDTH, COLOURS)
        for picture, label in zip(pictures, batch.labels, strict=True):
            (place,) = picture.any(dim=2).nonzero().tolist()
            assert picture[place[0], place[1]].tolist() == [3 * label + 1, 3 * label + 2, 3 * label + 3]
            places.append((place[0], place[1]))
    return places


def test_pictures_stay_or_move_to_one_of_four_sides() -> None:
    row, column = SPOT
    places = _places(0)
    expected = {(row, column), (row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)}
    assert set(places) == expected
    for place in expected:  # 120 each, give or take 4 standard deviations
        assert abs(places.count(place) - N / 5) < 40


def test_generator_decides_the_moves() -> None:
    assert _places(1) == _places(1) != _places(2)


def test_blocks_and_stored_pictures_stay() -> None:
    before = PICTURES.clone()
    _places(0)
    (block,) = SOURCE.blocks()
    assert torch.equal(block.stored.view_as(before), before)


def test_only_pictures_move() -> None:
    assert picture_of(ImageInput(height=4, width=5, channels=3)) == (4, 5, 3)
    with pytest.raises(TrainingError, match=r"--augment shift moves pictures .* these inputs are features: leave it"):
        picture_of(FeaturesInput(width=3))
