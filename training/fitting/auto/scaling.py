"""The choice of the scaling of embeddings, by cross-validation of the linear map on some of the training rows."""

import numpy as np
import torch
from torch import Tensor

from service.contract.inputs import FeaturesInput, Kind
from training.data.dataset import Labelled
from training.data.encoders import FeatureEncoder, Scaling
from training.fitting.auto.few_rows import FewRows, Rows, folds
from training.fitting.auto.search import Search
from training.fitting.auto.trials import significantly_better
from training.fitting.lift import QuadraticLift

_ROWS = 500  # enough to tell where it matters
_MAX_NUMBERS = 2**22  # of their features


def scaling_for(kind: Kind, train: Labelled, classes: int, seed: int) -> Scaling:
    """Each number by its own deviation, unless one common deviation is significantly better.

    One is better where the numbers have the same unit and what varies most says most: standardised, a rare word of a
    text would count as much as a frequent one. Columns with names may have any units, and are not tried.
    """
    if not isinstance(kind, FeaturesInput) or kind.columns is not None:
        return "each"
    some = train.take(np.arange(min(len(train), max(2, min(_ROWS, _MAX_NUMBERS // kind.width)))))
    each, common = (_losses(kind, some, scaling, classes, seed) for scaling in ("each", "common"))
    return "common" if significantly_better(common, each) else "each"


def _losses(kind: FeaturesInput, some: Labelled, scaling: Scaling, classes: int, seed: int) -> Tensor:
    """Of each row, `[N]`."""
    encoder = FeatureEncoder.fit(kind, some.blocks(), scaling)
    features = torch.cat([encoder.features(block) for block in some.blocks()])
    rows = Rows(features, torch.from_numpy(some.labels), folds(len(some), some.groups, seed), classes)
    variance = float(features.var(dim=0, correction=0).mean()) or 1.0
    return FewRows(rows, Search(classes, seed, variance, _no_lift, lift=0)).choose()[0].losses


def _no_lift(_: int) -> QuadraticLift:
    raise AssertionError("the linear map alone is tried")
