"""Errors of the softmax: the textbook form, the shifted form and the division-free form, in four number formats."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from exercises.exercise import Findings, Settings
from exercises.softmax_oracle import exact_softmax, relative_error
from training.fitting.softmax import log_sum_exp, softmax
from training.reporting.pictures.palette import BLUE, GREEN, GREY, ORANGE, VERMILION, open_frame

Errors = Mapping[str, Mapping[str, Mapping[str, float | None]]]  # by format, form and offset

_STYLES = {  # colour, line, mark, and the height at which a NaN is drawn
    "float16": (VERMILION, "--", "s", 1e3),
    "bfloat16": (ORANGE, ":", "^", 1e4),
    "float32": (BLUE, "-", "o", 1e5),
    "float64": (GREEN, "-.", "D", 1e6),
}
_RANGE = (1e-17, 1e7)
_EVERY = 4  # point has its mark

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
    """The form of the book, `[N, C]` -> `[N, C]`: exp(z) / sum exp(z)."""
    exponentials = torch.exp(logits)
    return exponentials / exponentials.sum(dim=1, keepdim=True)


def division_free(logits: Tensor) -> Tensor:
    """exp(z - log sum exp(z)), `[N, C]` -> `[N, C]`; the logarithm without overflow."""
    return torch.exp(logits - log_sum_exp(logits)[:, None])


FORMS: dict[str, Form] = {"textbook": textbook, "shifted": softmax, "division_free": division_free}


def measure(settings: Settings) -> Findings:
    """All numbers of the page. A quick run measures fewer offsets."""
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
    picture = _draw(values["offsets"], values["far"])
    return Findings(values, pictures={"softmax-numerics-error": picture})


def _limits(dtype: torch.dtype) -> dict[str, float]:
    """The limits of exp and of the textbook form: the logit farthest from 0 for which each claim holds, by format."""
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
    """The error of the textbook form in float32 for three logits with this largest one."""
    logits = torch.tensor([[largest, largest - 0.5, largest - 1.5]])
    return _largest_error(textbook(logits), exact_softmax(logits))


def _flushed() -> list[float | None]:
    """A row in the subnormal range with a processor set to flush subnormals to 0."""
    try:
        torch.set_flush_denormal(True)
        return _plain(textbook(torch.tensor([[-100.0, -101.0, -102.0]])))
    finally:
        torch.set_flush_denormal(False)


def _largest_error(probabilities: Tensor, exact: np.ndarray) -> float | None:
    """The largest relative error, None if an element is NaN.

    Probabilities that even float32 must round to fewer digits, or to 0, are left out.
    """
    if bool(probabilities.isnan().any()):
        return None
    kept = exact >= torch.finfo(torch.float32).tiny
    return float(relative_error(probabilities[torch.from_numpy(kept)], exact[kept]).max())


def _by_offset(dtype: torch.dtype, offsets: Iterable[float]) -> dict[str, dict[str, float | None]]:
    """Each form's largest error over 16 rows of 10 logits from -3 to 3, all shifted by each offset."""
    uniform = torch.from_numpy(np.random.default_rng(0).uniform(-3, 3, (16, 10)))
    errors: dict[str, dict[str, float | None]] = {name: {} for name in FORMS}
    for offset in offsets:
        logits = (uniform + offset).to(dtype)  # rounded first: this error is not one of the softmax
        exact = exact_softmax(logits)
        for name, form in FORMS.items():
            errors[name][f"{offset:g}"] = _largest_error(form(logits), exact)
    return errors


def _by_spread(spread: float) -> dict[str, float | None]:
    """Each form's largest error in float32 over 100 rows of 10 logits of this standard deviation."""
    logits = torch.from_numpy(np.random.default_rng(1).normal(0, spread, (100, 10))).float()
    exact = exact_softmax(logits)
    return {name: _largest_error(form(logits), exact) for name, form in FORMS.items()}


def _many_classes() -> dict[str, Any]:
    """The shifted form in float16, and that of torch, with more equal logits than the format's largest number."""
    logits = torch.zeros(1, MANY_CLASSES, dtype=torch.float16)
    return {
        "classes": MANY_CLASSES,
        "largest_float16": torch.finfo(torch.float16).max,
        "shifted": softmax(logits)[0, 0].item(),
        "torch": torch.softmax(logits, dim=1)[0, 0].item(),
    }


def _draw(near: Errors, far: Errors) -> Figure:
    """Left: the textbook form around the limits of exp. Right: the two safe forms far from 0."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (colour, line, mark, nan) in _STYLES.items():
        _plot(left, near[name]["textbook"], colour, line, mark, name)
        failed = [float(offset) for offset, error in near[name]["textbook"].items() if error is None]
        left.plot(failed, [nan] * len(failed), color=colour, linestyle="none", marker=mark, markersize=2.5)
    left.set_title("exp(z) / sum exp(z), the textbook's", fontsize=10)
    left.axhspan(1e2, _RANGE[1], color=GREY, alpha=0.15, linewidth=0)
    left.annotate("NaN", (0, 1e5), ha="center", va="center", fontsize=9)
    for name in ("float32", "float64"):
        colour, line, mark, _ = _STYLES[name]
        _plot(right, far[name]["division_free"], colour, "--", mark, f"exp(z - log sum exp(z)), {name}")
        _plot(right, far[name]["shifted"], colour, "-", "", f"shifted by the maximum, {name}")
    right.set_title("the two that do not overflow", fontsize=10)
    right.set_xscale("log")
    for axes in (left, right):
        axes.set_xlabel("offset added to every logit (nats)")
        axes.set_ylabel("largest relative error")
        axes.set_yscale("log")
        axes.set_ylim(*_RANGE)
        axes.set_yticks([10.0**power for power in range(-16, 1, 4)])
        open_frame(axes)
    left.legend(frameon=False, fontsize=8, loc="center", bbox_to_anchor=(0.5, 0.28), ncols=2)
    right.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def _plot(axes: Axes, errors: Mapping[str, float | None], colour: str, line: str, mark: str, name: str) -> None:
    offsets = [float(offset) for offset in errors]
    heights = [float("nan") if error is None else error for error in errors.values()]
    every = _EVERY if len(heights) > 50 else 1
    axes.plot(offsets, heights, color=colour, linestyle=line, marker=mark, markersize=3, markevery=every, label=name)
