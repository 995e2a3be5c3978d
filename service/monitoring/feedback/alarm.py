"""A sequential test of "the risk is at most r": valid after every label, and not delayed by a good past."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

_FACTORS = (1.2, 1.5, 2.0, 3.0, 5.0)  # times the promised risk: the risks that the alarm is tuned to
_OFFSET = 10  # in the weights of the starts: a larger offset favours later changes


def alternatives(promised: float) -> tuple[float, ...]:
    """The risks above `promised` that the alarm is tuned to: at least one if there is room below 1.

    >>> alternatives(0.05), alternatives(0.9)
    ((0.06, 0.075, 0.1, 0.15, 0.25), (0.95,))
    """
    if promised >= 1:  # values of at most 1 cannot exceed it
        return ()
    risks = tuple(round(promised * factor, 12) for factor in _FACTORS if promised * factor < 1)
    return risks or ((1 + promised) / 2,)


def weight(start: int) -> float:
    """The prior weight of a change just before value number `start`. The weights of all starts sum to at most 1.

    w_t = log(10) / ((t + 10) log^2(t + 10)). The second factor falls with t, so its sum over t >= 1 is at most its
    integral from 0, which is 1 / log(10).

    >>> round(weight(1), 4), sum(map(weight, range(1, 1001))) < 1 - math.log(10) / math.log(1012)
    (0.0364, True)
    """
    later = start + _OFFSET
    return math.log(_OFFSET) / (later * math.log(later) ** 2)


class Alarm:
    """The evidence that a sequence of values in [0, 1] has a mean over `promised`.

    For each alternative p it keeps M_t = (M_{t-1} + w_t) LR_t, with LR_t = (p/r)^x ((1-p)/(1-r))^(1-x) for the value x.
    LR is convex in x. If x has a mean of at most r given the earlier values, LR has a mean of at most 1, and M_t is a
    sum of test supermartingales, one for each start t, with weight w_t. The weights sum to at most 1. So by Ville's
    inequality the mean over the alternatives ever reaches c with a probability of at most 1/c. This is the procedure
    of Shiryaev and Roberts as an e-detector (Shin, Ramdas, Rinaldo 2024, NEJSDS 2(2)), with a prior over its starts.
    """

    def __init__(self, promised: float, runs: Sequence[int] = ()) -> None:
        """`runs` is the shape of several independent sequences that are followed at once."""
        risks = np.array(alternatives(promised), np.float64)  # [K]
        self._if_one = np.log(risks / promised)
        self._if_zero = np.log1p(-risks) - np.log1p(-promised) if risks.size else risks
        self.count = 0
        self.state: NDArray[np.float64] = np.zeros((*runs, risks.size))  # M, [..., K]

    def add(self, value: ArrayLike) -> None:
        """Add the next value, in [0, 1]; one for each run.

        >>> alarm = Alarm(0.5)  # its alternatives: 0.6, 0.75
        >>> alarm.add(1.0)
        >>> alarm.state.round(4).tolist(), round(weight(1) * 0.75 / 0.5, 4)  # 0.0364 times 0.6/0.5, and 0.75/0.5
        ([0.0437, 0.0546], 0.0546)
        """
        self.count += 1
        x = np.asarray(value, np.float64)[..., None]
        with np.errstate(over="ignore"):  # infinity exceeds every limit
            self.state = (self.state + weight(self.count)) * np.exp(x * self._if_one + (1 - x) * self._if_zero)

    def evidence(self) -> NDArray[np.float64]:
        """How many times more probable a broken promise makes the values: the mean over the alternatives, per run.

        While the promise holds, it ever reaches c with a probability of at most 1/c.
        """
        return self.state.mean(axis=-1) if self.state.shape[-1] else np.zeros(self.state.shape[:-1])
