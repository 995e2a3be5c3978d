"""The cross-entropy by its definition and by indexing: value, time, memory, the logarithm of 0, and soft labels."""

import itertools
import statistics
import time
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from exercises import soft_label_fits as fits
from exercises.cross_entropy_forms import CLAMP, FORMS, Form, by_index, by_sum, by_xlogy, clamped, inputs
from exercises.cross_entropy_memory import peak
from exercises.exercise import Findings, Settings
from training.fitting.softmax import cross_entropy, cross_entropy_and_gradient
from training.reporting.pictures.palette import BLUE, VERMILION, open_frame

_TITLES = {"": "loss of given probabilities", "gradient_": "loss and gradient from logits"}

BATCHES = (256, 4096)
CLASSES = (10, 100, 1000, 10_000)
MEMORY_PROBLEM = (4096, 10_000)  # batch and classes of the memory
KINDS = ("one_hot", "smoothed", "distilled", "distilled_softer")
SIZES = {1000: 5, 50_000: 3}  # training images, and how many seeds
_SECONDS = 0.2  # of each measurement
CERTAIN_LOGIT = 200.0  # above the other one: its probability is 1, the other 0


def measure(settings: Settings) -> Findings:
    """All numbers of the page. A quick run takes few times and fits few models."""
    values: dict[str, Any] = {
        "same": _same(),
        "clamp": CLAMP,
        "certain_logit": CERTAIN_LOGIT,
        "logarithm": _logarithm(),
    }
    values |= {"smoothing": fits.SMOOTHING, "teacher_features": fits.TEACHER_FEATURES, "softer": fits.SOFTER}
    values |= _soft_labels(settings)
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    sizes = list(
        itertools.product(BATCHES[:1], CLASSES[::2]) if settings.quick else itertools.product(BATCHES, CLASSES)
    )
    costs: dict[str, Any] = {"seconds": {device: _times(sizes, device) for device in devices}}
    if not settings.quick:
        costs["batch"], costs["classes"] = MEMORY_PROBLEM
        costs["peak_bytes"] = {form: peak(form, *MEMORY_PROBLEM) for form in FORMS}
    return Findings(values, costs, {"cross-entropy-time": _draw(costs["seconds"]["cpu"])})


def _same() -> dict[str, Any]:
    """One batch by each form, in float32, and in float64 from the logits."""
    logits, labels = inputs("gradient_index", BATCHES[-1], CLASSES[0], "cpu")
    probabilities = torch.softmax(logits, dim=1)
    exact = cross_entropy(logits.double(), labels).item()
    return {
        "batch": BATCHES[-1],
        "classes": CLASSES[0],
        "exact": exact,
        "by_sum": by_sum(probabilities, labels).item(),
        "by_index": by_index(probabilities, labels).item(),
        "from_logits": cross_entropy(logits, labels).item(),
    }


def _logarithm() -> dict[str, dict[str, dict[str, str]]]:
    """Loss and gradient if one probability is exactly 1 and the other 0, for each true label."""
    forms: dict[str, Form] = {"by_sum": by_sum, "by_xlogy": by_xlogy, "by_index": by_index, "clamped": clamped}
    results: dict[str, dict[str, dict[str, str]]] = {}
    for truth, label in (("right", 0), ("wrong", 1)):
        labels = torch.tensor([label])
        results[truth] = {}
        for name, form in forms.items():
            probabilities = torch.tensor([[1.0, 0.0]], requires_grad=True)
            loss = form(probabilities, labels)
            assert isinstance(loss, Tensor)
            (gradient,) = torch.autograd.grad(loss, probabilities)
            results[truth][name] = {"loss": _shown([loss.item()]), "gradient": _shown(gradient[0].tolist())}
        loss, gradient = cross_entropy_and_gradient(torch.tensor([[CERTAIN_LOGIT, 0.0]]), labels)
        results[truth]["from_logits"] = {"loss": _shown([loss.item()]), "gradient": _shown(gradient[0].tolist())}
    return results


def _shown(numbers: Iterable[float]) -> str:
    """The value as text, since JSON has no NaN and no infinity."""
    return ", ".join(f"{number + 0.0:.4g}" for number in numbers)  # + 0.0 removes a minus sign of zero


def _times(sizes: list[tuple[int, int]], device: str) -> dict[str, dict[str, dict[str, float]]]:
    """Seconds of each form, by batch and number of classes: the median of the runs in a fifth of a second."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    for examples, classes in sizes:
        row = {form: _seconds(form, examples, classes, device) for form in FORMS}
        results.setdefault(str(examples), {})[str(classes)] = row
    return results


def _seconds(name: str, examples: int, classes: int, device: str) -> float:
    form, data = FORMS[name], inputs(name, examples, classes, device)
    form(*data)
    taken: list[float] = []
    while sum(taken) < _SECONDS or len(taken) < 3:
        start = time.perf_counter()
        form(*data)
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _soft_labels(settings: Settings) -> dict[str, Any]:
    """Every fit under its size, kind and seed, and in a full run their means."""
    data = fits.parts(settings.data_dir)
    if settings.quick:
        quick = {kind: {"0": fits.student(data, kind, 1000, 0, None)} for kind in KINDS[:2]}
        return {"fits": _single({"1000": quick})}
    taught, teacher = fits.teacher(data)
    results = {
        str(size): {
            kind: {str(seed): fits.student(data, kind, size, seed, taught) for seed in range(seeds)} for kind in KINDS
        }
        for size, seeds in SIZES.items()
    }
    means = {
        size: {kind: _mean(runs, kinds["one_hot"]) for kind, runs in kinds.items()} for size, kinds in results.items()
    }
    return {"fits": _single(results), "means": means, "teacher": teacher}


def _single(results: dict[str, dict[str, dict[str, fits.Result]]]) -> dict[str, Any]:
    """The single fits without their minimum ECE, which varies by over 2 % with the processor's order of summing."""
    return {
        size: {
            kind: {
                seed: {name: value for name, value in run.items() if name != "ece_after"} for seed, run in runs.items()
            }
            for kind, runs in kinds.items()
        }
        for size, kinds in results.items()
    }


def _mean(runs: dict[str, fits.Result], others: dict[str, fits.Result]) -> fits.Result:
    """Means over the seeds, and the gain in accuracy over the others with its standard error."""
    count = len(runs)
    mean = {name: sum(run[name] for run in runs.values()) / count for name in runs["0"]}
    gains = [runs[seed]["accuracy"] - others[seed]["accuracy"] for seed in runs]
    return mean | {"gain": sum(gains) / count, "gain_error": statistics.stdev(gains) / count**0.5}


def _draw(seconds: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Figure:
    """Time over the number of classes, by batch size, for the sum over one-hot labels and for indexing."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, (prefix, title) in zip(figure.subplots(1, 2, sharey=True), _TITLES.items(), strict=True):
        for batch, mark in zip(seconds, ("o", "s"), strict=False):
            for form, colour, line in (("sum", VERMILION, "--"), ("index", BLUE, "-")):
                classes = [int(count) for count in seconds[batch]]
                times = [1e3 * row[prefix + form] for row in seconds[batch].values()]
                label = f"{'sum over one-hot' if form == 'sum' else 'by index'}, batch {batch}"
                axes.plot(classes, times, color=colour, linestyle=line, marker=mark, markersize=4, label=label)
        axes.set_title(title, fontsize=10)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("classes")
        axes.set_ylabel("time (ms)")
        axes.legend(frameon=False, fontsize=8)
        open_frame(axes)
    return figure
