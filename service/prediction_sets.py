"""Which classes an input may be: the prediction set that split conformal prediction certified."""

import numpy as np
from numpy.typing import NDArray

from service.certificates import Abstention, PredictionSets, SetMethod
from service.errors import InvalidValue
from service.validation import shown


def choose(
    abstention: Abstention | None, set_coverage: float | None, method: SetMethod | None
) -> PredictionSets | None:
    """The kind of set that a request asks for; the model's first, where it does not say.

    None for a model that has none and a request that asks for none. Raises InvalidValue for a coverage that was not
    certified.
    """
    offered = abstention.prediction_sets if abstention else []
    if not offered:
        for field, asked in (("set_coverage", set_coverage), ("set_method", method)):
            if asked is not None:
                raise InvalidValue(field, f"={shown(asked)} is asked for, and this model has no prediction sets")
        return None
    wanted_method = method or "lac"
    by_coverage = {sets.set_coverage: sets for sets in offered if sets.method == wanted_method}
    wanted = set_coverage if set_coverage is not None else next(iter(by_coverage), None)
    if wanted in by_coverage:
        return by_coverage[wanted]
    levels = ", ".join(map(str, by_coverage)) or "none"
    raise InvalidValue(
        "set_coverage", f"={wanted} is not certified by this model for {wanted_method}; certified: {levels}"
    )


def members(probabilities: NDArray[np.float32], sets: PredictionSets) -> NDArray[np.bool_]:
    """Which classes are in the set of each input, `[N, C]` -> `[N, C]`.

    Those whose probability is at least the threshold (LAC: Sadinle, Lei and Wasserman 2019), and always the likeliest:
    a set that is empty helps nobody, and one that is larger keeps the promise.

    >>> sets = PredictionSets(set_coverage=0.9, method="lac", thresholds=[0.5], order_statistics=[10], sizes=[10],
    ...                       population="by hand", calibration_fingerprint="0" * 64)
    >>> members(np.array([[0.5, 0.5, 0], [0.25, 0.3, 0.45]], dtype=np.float32), sets)
    array([[ True,  True, False],
           [False, False,  True]])
    """
    chosen = probabilities.astype(np.float64) >= np.array(sets.thresholds)  # [N, C] against [1] or [C]
    chosen[np.arange(len(chosen)), probabilities.argmax(axis=1)] = True
    return chosen
