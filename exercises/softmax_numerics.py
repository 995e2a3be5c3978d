"""How the softmax fails: the textbook's form, the shifted one and the division-free, in four number formats."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from exercises import softmax_pictures
from exercises.exercise import Findings, Settings
from exercises.softmax_oracle import exact_softmax, relative_error
from training.fitting.softmax import log_sum_exp, softmax

FORMATS = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
ROWS = (
    (100.0, 0.0, 0.0),
    (88.5, 88.0, 87.0),
    (-80.0, -81.0, -82.0),
    (-100.0, -101.0, -102.0),
    (-100.5, -101.0, -102.0),
    (-103.0, -103.5, -104.5),
    (-104.0, -105.0, -106.0),
)
LARGEST = (-80.0, -86.0, -88.0, -90.0, -92.0, -94.0, -96.0, -98.0, -99.0, -100.0, -101.0, -102.0, -103.0)
OFFSETS = range(-112, 113, 2)
QUICK_OFFSETS = range(-112, 113, 28)
FAR_OFFSETS = tuple(10.0**power for power in range(7))
SPREADS = (1.0, 10.0, 100.0, 1000.0, 10000.0)
MANY_CLASSES = 70_000

Form = Callable[[Tensor], Tensor]


def textbook(logits: Tensor) -> Tensor:
    """As the book writes it, `[N, C]` -> `[N, C]`: exp(z) / sum exp(z)."""
    exponentials = torch.exp(logits)
    return exponentials / exponentials.sum(dim=1, keepdim=True)


def division_free(logits: Tensor) -> Tensor:
    """exp(z - log sum exp(z)), `[N, C]` -> `[N, C]`; the logarithm without overflow."""
    return torch.exp(logits - log_sum_exp(logits)[:, None])


FORMS: dict[str, Form] = {"textbook": textbook, "shifted": softmax, "division_free": division_free}


def measure(settings: Settings) -> Findings:
    """All that the page states. A quick run measures fewer offsets."""
    offsets = QUICK_OFFSETS if settings.quick else OFFSETS
    values: dict[str, Any] = {
        "limits": {name: _limits(dtype) for name, dtype in FORMATS.items()},
        "rows": {_named(row): _row(row) for row in ROWS},
        "silent": {f"{largest:g}": _silent(largest) for largest in LARGEST},
        "offsets": {name: _by_offset(dtype, offsets) for name, dtype in FORMATS.items()},
        "far": {name: _by_offset(FORMATS[name], FAR_OFFSETS) for name in ("float32", "float64")},
        "spreads": {f"{spread:g}": _by_spread(spread) for spread in SPREADS},
        "smallest_normal": torch.finfo(torch.float32).tiny,
        "flushed": _flushed(),
        "many": _many_classes(),
    }
    picture = softmax_pictures.draw(values["offsets"], values["far"])
    return Findings(values, pictures={"softmax-numerics-error": picture})


def _limits(dtype: torch.dtype) -> dict[str, float]:
    """Where exp and the textbook's form end: the logit of the format farthest from 0 for which each claim holds."""
    tiny = torch.finfo(dtype).tiny

    def alone(z: Tensor) -> bool:
        return bool(torch.exp(z).isfinite())

    def ten_equal(z: Tensor) -> bool:
        return bool(textbook(z.repeat(1, 10)).isfinite().all() and textbook(z.repeat(1, 10)).min() > 0)

    return {
        "overflow": _last(dtype, alone),
        "sum_overflow": _last(dtype, ten_equal),
        "full_digits": -_last(dtype, lambda z: bool(torch.exp(-z) >= tiny)),
        "underflow": -_last(dtype, lambda z: bool(torch.exp(-z) > 0)),
    }


def _last(dtype: torch.dtype, holds: Callable[[Tensor], bool]) -> float:
    """The largest z >= 0 of the format for which `holds`, by bisection over the bit patterns, which rise with z."""
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]

    def number(bits: int) -> Tensor:
        return torch.tensor([bits], dtype=integer).view(dtype)

    low, high = 0, int(torch.tensor([torch.inf], dtype=dtype).view(integer))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(number(middle)) else (low, middle)
    return number(low).item()


def _named(row: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in row)


def _row(row: tuple[float, ...]) -> dict[str, Any]:
    """One row by each form; None stands for NaN."""
    single, double = torch.tensor([row]), torch.tensor([row], dtype=torch.float64)
    exact = exact_softmax(double)
    return {
        "textbook_float32": _plain(textbook(single)),
        "shifted_float32": _plain(softmax(single)),
        "exact": exact[0].tolist(),
        "textbook_error": _largest_error(textbook(single), exact_softmax(single)),
        "shifted_error": _largest_error(softmax(single), exact_softmax(single)),
    }


def _plain(row: Tensor) -> list[float | None]:
    return [None if np.isnan(value) else value for value in row[0].tolist()]


def _silent(largest: float) -> float | None:
    """The textbook's error in float32 for three logits, the largest of which is given."""
    logits = torch.tensor([[largest, largest - 0.5, largest - 1.5]])
    return _largest_error(textbook(logits), exact_softmax(logits))


def _flushed() -> list[float | None]:
    """A row of the subnormal stretch where the processor is told to take subnormals for 0."""
    try:
        torch.set_flush_denormal(True)
        return _plain(textbook(torch.tensor([[-100.0, -101.0, -102.0]])))
    finally:
        torch.set_flush_denormal(False)


def _largest_error(found: Tensor, exact: np.ndarray) -> float | None:
    """The largest relative error, None where an element is NaN.

    Probabilities that even float32 must round to fewer digits, or to 0, are left out.
    """
    if bool(found.isnan().any()):
        return None
    kept = exact >= torch.finfo(torch.float32).tiny
    return float(relative_error(found[torch.from_numpy(kept)], exact[kept]).max())


def _by_offset(dtype: torch.dtype, offsets: Iterable[float]) -> dict[str, dict[str, float | None]]:
    """Each form's largest error over 16 rows of 10 logits from -3 to 3, all shifted by each offset."""
    uniform = torch.from_numpy(np.random.default_rng(0).uniform(-3, 3, (16, 10)))
    found: dict[str, dict[str, float | None]] = {name: {} for name in FORMS}
    for offset in offsets:
        logits = (uniform + offset).to(dtype)  # rounded here: the error of this is not the softmax's
        exact = exact_softmax(logits)
        for name, form in FORMS.items():
            found[name][f"{offset:g}"] = _largest_error(form(logits), exact)
    return found


def _by_spread(spread: float) -> dict[str, float | None]:
    """Each form's largest error in float32 over 100 rows of 10 logits of this standard deviation."""
    logits = torch.from_numpy(np.random.default_rng(1).normal(0, spread, (100, 10))).float()
    exact = exact_softmax(logits)
    return {name: _largest_error(form(logits), exact) for name, form in FORMS.items()}


def _many_classes() -> dict[str, Any]:
    """The shifted form in float16 with more equal logits than the format's largest number, and torch's own."""
    logits = torch.zeros(1, MANY_CLASSES, dtype=torch.float16)
    return {
        "classes": MANY_CLASSES,
        "largest_float16": torch.finfo(torch.float16).max,
        "shifted": softmax(logits)[0, 0].item(),
        "torch": torch.softmax(logits, dim=1)[0, 0].item(),
    }
