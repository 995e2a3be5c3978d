"""Made data, the same for the same seed: embeddings of sentences, and expressions of genes."""

import numpy as np
from numpy.typing import NDArray

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]  # inputs [N, D], labels [N]

_DECAY = 0.75  # the k-th variance is proportional to k^-0.75 e^(-4 k / D), as in embeddings by sentence encoders
_NOISE = 0.66  # length of the deviation from the common direction, whose length is 1
_INFORMATIVE = 30  # leading directions in which the classes differ
_APART = 0.68  # standard deviation of the class means, in standard deviations of the noise


def embeddings(count: int, width: int, classes: int, seed: int) -> Rows:
    """Rows of length 1 around a common direction, from a normal distribution for each class.

    The noise has a few strong directions and many weak ones, and the classes differ only in the strong ones. So a fit
    must tell the directions apart by the labels: their variance does not.
    """
    rng = np.random.default_rng([seed, width])
    ranks = np.arange(1, width + 1)
    variances = ranks**-_DECAY * np.exp(-4 * ranks / width)
    scales = _NOISE * np.sqrt(variances / variances.sum())
    axes = np.linalg.qr(rng.standard_normal((width, width)))[0]
    labels = rng.integers(0, classes, count)
    means = _APART * scales * rng.standard_normal((classes, width)) * (ranks <= _INFORMATIVE)
    common = rng.standard_normal(width)
    rows = common / np.linalg.norm(common)
    rows = rows + (means[labels] + scales * rng.standard_normal((count, width))) @ axes.T
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


_MODULES, _MARKERS = 20, 60  # groups of genes that vary together; genes that differ between the classes


def genes(count: int, width: int, classes: int, seed: int) -> Rows:
    """Log expressions: genes vary in modules, and some of them differ between the classes."""
    rng = np.random.default_rng([seed, width])
    labels = rng.integers(0, classes, count)
    loadings = rng.standard_normal((_MODULES, width)) * (rng.random((_MODULES, width)) < 0.2)
    rows = rng.standard_normal((count, _MODULES)) @ loadings + rng.standard_normal((count, width))
    markers = rng.choice(width, _MARKERS, replace=False)
    rows[:, markers] += rng.normal(0, 1.0, (classes, _MARKERS))[labels]
    return (rng.uniform(4, 10, width) + rows).astype(np.float32), labels
