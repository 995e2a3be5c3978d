"""scikit-learn's LogisticRegression as a careful user fits it: prepared columns, and C chosen on `tune`."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from service.contract.inputs import FeaturesInput, ImageInput, Kind
from training.data.dataset import Labelled

GRID = np.logspace(-3, 3, 13)
_MAX_ITERATIONS = 100_000


@dataclass(frozen=True, slots=True)
class Peer:
    """The fitted pipeline of the best C."""

    pipeline: Pipeline
    kind: Kind
    classes: int

    @property
    def c(self) -> float:
        """The inverse strength of its penalty."""
        return float(self.pipeline[-1].C)

    @property
    def width(self) -> int:
        """The number of features after the preparation."""
        return int(self.pipeline[-1].n_features_in_)

    def probabilities(self, part: Labelled) -> NDArray[np.float64]:
        """`[N, C]`; 0 for a class that the training rows lack."""
        p = np.zeros((len(part), self.classes))
        p[:, self.pipeline[-1].classes_] = self.pipeline.predict_proba(_values(part, self.kind))
        return p


def search(train: Labelled, tune: Labelled, kind: Kind, classes: int) -> Peer:
    """Fit each C of the grid on `train`, and keep the lowest loss on `tune`. A fit that does not converge raises."""
    values, fitted = _values(train, kind), []
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for c in GRID:
            model = LogisticRegression(C=c, max_iter=_MAX_ITERATIONS)
            fitted.append(Peer(make_pipeline(_preparation(kind), model).fit(values, train.labels), kind, classes))
    losses = [log_loss(tune.labels, each.probabilities(tune), labels=range(classes)) for each in fitted]
    return fitted[int(np.argmin(losses))]


def _values(part: Labelled, kind: Kind) -> NDArray[np.float64]:
    """The rows as numbers, `[N, P]`; pixels divided by 255, categories as their codes."""
    values = part.inputs.reshape(len(part), -1).astype(np.float64)
    return values / 255 if isinstance(kind, ImageInput) else values


def _preparation(kind: Kind) -> Any:
    """Standardised numbers and one-hot categories for a table; nothing for pictures and embeddings."""
    if not isinstance(kind, FeaturesInput) or kind.columns is None:
        return "passthrough"
    numbers = [index for index, column in enumerate(kind.columns) if column.categories is None]
    coded = [index for index in range(kind.width) if index not in numbers]
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore", sparse_output=False), coded),
        ]
    )
