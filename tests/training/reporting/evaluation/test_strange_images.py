"""The strange sets match their names and are reproducible."""

import numpy as np
import pytest

from training.reporting.evaluation import strange_images

IMAGES = np.random.default_rng(7).integers(256, size=(400, 12, 9), dtype=np.uint8)
SETS = strange_images.make(IMAGES)


@pytest.mark.parametrize("name", strange_images.KINDS)
def test_form_and_seed(name: str) -> None:
    images = SETS[name]
    assert images.dtype == np.uint8
    assert images.shape == (1 if name.startswith("all ") else 400, 12, 9)
    np.testing.assert_array_equal(images, strange_images.make(IMAGES)[name])


@pytest.mark.parametrize("name", ["uniform noise", "Gaussian noise", "bars", "pixel-shuffled"])
def test_another_seed_gives_other_images(name: str) -> None:
    assert (strange_images.make(IMAGES, seed=1)[name] != SETS[name]).any()


def test_noise_has_the_expected_moments() -> None:
    uniform, gaussian = SETS["uniform noise"], SETS["Gaussian noise"]
    assert (uniform.min(), uniform.max()) == (gaussian.min(), gaussian.max()) == (0, 255)
    assert uniform.mean() == pytest.approx(127.5, abs=2)
    assert gaussian.mean() == pytest.approx(128, abs=2)
    assert gaussian.std() == pytest.approx(62.3, abs=1)  # 64 without the clipping


def test_inverted_shuffled_white_and_black() -> None:
    np.testing.assert_array_equal(SETS["inverted"].astype(int) + IMAGES, np.full(IMAGES.shape, 255))
    flat, shuffled = IMAGES.reshape(400, -1), SETS["pixel-shuffled"].reshape(400, -1)
    np.testing.assert_array_equal(np.sort(shuffled, axis=1), np.sort(flat, axis=1))
    assert (shuffled != flat).any(axis=1).all()
    assert (SETS["all white"] == 255).all()
    assert (SETS["all black"] == 0).all()


def test_each_picture_has_its_own_shuffle() -> None:
    same = np.broadcast_to(np.arange(108, dtype=np.uint8).reshape(12, 9), (2, 12, 9))
    first, second = strange_images.pixel_shuffled(same, np.random.default_rng(0))
    assert (first != second).any()


def test_bars_cross_the_picture_in_both_directions() -> None:
    bars = SETS["bars"]
    assert set(np.unique(bars)) == {0, 255}
    level = (bars == bars[:, :, :1]).all(axis=(1, 2))
    upright = (bars == bars[:, :1, :]).all(axis=(1, 2))
    assert (level | upright).all()
    assert 100 < upright.sum() < 300
    widths = {len(run) for row in bars[upright][:, 0] for run in "".join(map(str, row // 255)).split("0") if run}
    assert widths == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize("name", strange_images.KINDS)
def test_sets_of_coloured_images_keep_the_shape(name: str) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
    made = strange_images.make(colour)[name]
    assert made.shape[1:] == (6, 7, 3)
    assert made.dtype == np.uint8
    if name == "pixel-shuffled":  # pixels move, and their colours stay together
        pixels = [sorted(picture[0].reshape(-1, 3).tolist()) for picture in (made, colour)]
        assert pixels[0] == pixels[1]
