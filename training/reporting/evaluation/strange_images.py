"""Strange images, made from real ones, on which the gate is tested.

Each set is a fixed function of the images, uint8 `[N, H, W]` or `[N, H, W, 3]`, and a seed. Nothing is fitted or
chosen on them. They are caricatures, easy to tell from clothes by eye. A gate that misses them is useless; one that
flags them all may still miss images that look more like clothes.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]

_MAX_BAR = 6  # pixels


def uniform_noise(images: Images, rng: np.random.Generator) -> Images:
    """Every pixel uniform from 0 to 255."""
    return rng.integers(256, size=images.shape, dtype=np.uint8)


def gaussian_noise(images: Images, rng: np.random.Generator) -> Images:
    """Every pixel from a normal distribution of mean 128 and standard deviation 64, clipped to 0..255."""
    return np.clip(np.rint(rng.normal(128, 64, size=images.shape)), 0, 255).astype(np.uint8)


def inverted(images: Images, _: np.random.Generator) -> Images:
    """Dark on light instead of light on dark.

    >>> inverted(np.array([[[0, 250]]], np.uint8), np.random.default_rng(0))
    array([[[255,   5]]], dtype=uint8)
    """
    return 255 - images


def bars(images: Images, rng: np.random.Generator) -> Images:
    """White bars on black across the picture, vertical or horizontal, width and gap 1 to 6 pixels, at any phase."""
    n, height, width = images.shape[:3]
    upright = rng.integers(2, size=(n, 1, 1)).astype(bool)
    light, dark = rng.integers(1, _MAX_BAR + 1, size=(2, n, 1, 1))
    phase = rng.integers(light + dark)
    rows, columns = np.arange(height)[:, None], np.arange(width)
    position = np.where(upright, columns, rows)  # [N, H, W]
    levels = np.where((position + phase) % (light + dark) < light, 255, 0).astype(np.uint8)
    return np.ascontiguousarray(
        np.broadcast_to(levels.reshape(n, height, width, *[1] * (images.ndim - 3)), images.shape)
    )


def all_white(images: Images, _: np.random.Generator) -> Images:
    """One picture: more would be equal."""
    return np.full_like(images[:1], 255)


def all_black(images: Images, _: np.random.Generator) -> Images:
    """One picture."""
    return np.zeros_like(images[:1])


def pixel_shuffled(images: Images, rng: np.random.Generator) -> Images:
    """The pixels of each picture in a separate random order: the same levels without shape."""
    pixels = images.reshape(*images.shape[:1], -1, *images.shape[3:])  # [N, H * W] or [N, H * W, 3]
    orders = rng.permuted(np.tile(np.arange(pixels.shape[1]), (len(images), 1)), axis=1)
    shuffled: Images = pixels[np.arange(len(images))[:, None], orders].reshape(images.shape)
    return shuffled


KINDS: dict[str, Callable[[Images, np.random.Generator], Images]] = {
    "uniform noise": uniform_noise,
    "Gaussian noise": gaussian_noise,
    "inverted": inverted,
    "bars": bars,
    "all white": all_white,
    "all black": all_black,
    "pixel-shuffled": pixel_shuffled,
}


def make(images: Images, seed: int = 0) -> dict[str, Images]:
    """All sets by name. The same images and seed give the same sets."""
    return {
        name: kind(images, np.random.default_rng([seed, number])) for number, (name, kind) in enumerate(KINDS.items())
    }
