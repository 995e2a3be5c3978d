"""A large vocabulary: the cost of its softmax for five ways to compute the loss, and its predictions on a real text."""

import math
import platform
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from exercises import vocabulary_pictures, vocabulary_served
from exercises.exercise import Findings, Settings
from exercises.vocabulary_costs import LIMIT, SAMPLES, WIDTH, costs
from exercises.vocabulary_model import LogProbabilities, Scores, adaptive, by_samples, exact, log_probabilities, score
from training.data.text.corpus import standard_library
from training.data.text.ngrams import Bigram, perplexity
from training.data.text.task import CONTEXT, Task
from training.fitting.linear_cross_entropy import linear_cross_entropy
from training.fitting.next_token import NextToken, NextTokenSettings

VOCABULARIES, BATCHES, ROUNDS = (1000, 10_000, 50_000, 200_000), (64, 256, 2048), 3
MODEL = NextTokenSettings()
SHORT = replace(MODEL, steps=MODEL.steps // 4)  # for the comparison of the ways
THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
_EVERY = 10  # places of `tune` for the comparison of the ways: all places would take as long as the fits
_BANDS = (2, 10, 100, 1000)  # occurrences in `train`


def measure(settings: Settings) -> Findings:
    """All numbers of the page. A quick run has small problems, and leaves out the text."""
    values: dict[str, Any] = {
        "exactness": {str(columns): _exactness(columns) for columns in (1, 100, 999, 3000)},
        "grid": {"width": WIDTH, "samples": SAMPLES, "limit": LIMIT},
    }
    if settings.quick:
        small_settings, small_task = vocabulary_served.small()
        _, served = vocabulary_served.serve(exact(small_task, small_settings), small_task, small_settings)
        return Findings(values, {"grid": _plain(costs(VOCABULARIES[:2], BATCHES[:1], 1)), "served": served})
    grid = costs(VOCABULARIES, BATCHES, ROUNDS)
    task = Task.of(standard_library())
    start = time.perf_counter()
    model = exact(task, MODEL)
    spent = {"grid": _plain(grid), "fit": time.perf_counter() - start}
    scores = score(log_probabilities(model), task.report)
    values |= (
        corpus(task)
        | _predictions(task, scores)
        | {"model": _described(model, len(task.train)), "rank": _rank(model, task)}
    )
    values["nats"] = {
        "unigram": math.log(values["unigram"]),
        "bigram": math.log(values["bigram"]),
        "model": math.log(values["perplexity"]),
    }
    values["ways"], spent["ways"] = _compared(task)
    results, spent["served"] = vocabulary_served.serve(model, task, MODEL)
    values |= results
    return Findings(values, spent, vocabulary_pictures.draw(spent["grid"], values))


def _plain(grid: Any) -> Any:
    """The costs as JSON values: each as an object of its fields."""
    if isinstance(grid, dict):
        return {key: _plain(value) for key, value in grid.items()}
    return None if grid is None else grid._asdict()


def _exactness(columns: int) -> dict[str, float]:
    """The largest difference from the materialised loss, relative to the largest number, in float64."""
    generator = torch.Generator().manual_seed(0)
    leaves = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((64, 32), (32, 3000), (3000,))]
    labels = torch.randint(0, 3000, (64,), generator=generator)

    def results(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> list[Tensor]:
        own = [leaf.clone().requires_grad_() for leaf in leaves]
        value = loss(own[0], own[1], own[2])
        return [value.detach(), *torch.autograd.grad(value, own)]

    ours = results(lambda x, w, b: linear_cross_entropy(x, w, b, labels, columns))
    theirs = results(lambda x, w, b: functional.cross_entropy(torch.addmm(b, x, w), labels))
    names = ("loss", "features", "weights", "biases")
    pairs = zip(names, ours, theirs, strict=True)
    return {name: float((a - b).abs().max() / b.abs().max()) for name, a, b in pairs}


def corpus(task: Task) -> dict[str, Any]:
    """The text of this Python version, and its perplexity under models of counts."""
    texts = task.corpus.texts
    occurrences = np.array([n for _, n in Counter(token for text in texts.values() for token in text).most_common()])
    unigram = task.unigram
    bigram = Bigram.of(task.train.contexts[:, -1].numpy(), task.train.following.numpy(), unigram)
    following = task.report.following.numpy()
    before = task.report.contexts[:, -1].numpy()
    return {
        "corpus": {
            "python": platform.python_version(),
            "files": len(texts),
            "tokens": int(occurrences.sum()),
            "types": len(occurrences),
            "once": float((occurrences == 1).mean()),
            "first_thousand": float(occurrences[:1000].sum() / occurrences.sum()),
            "vocabulary": len(task.vocabulary),
            "places": {s: len(getattr(task, s)) for s in ("train", "tune", "calibration", "report")},
            "unknown": float((following == 0).mean()),
        },
        "unigram": perplexity(unigram.probabilities[following]),
        "bigram": perplexity(bigram.probability(before, following)),
        "commonest": float((following == int(task.counts.argmax())).mean()),
    }


def _predictions(task: Task, scores: Scores) -> dict[str, Any]:
    return {
        "perplexity": scores.perplexity,
        "top": {str(k): float(scores.hits(k).mean()) for k in (1, 5)},
        "thresholds": {f"{t:g}": _answered(scores, t) for t in THRESHOLDS if (scores.confidence >= t).any()},
        "bands": _bands(task, scores),
    }


def _answered(scores: Scores, threshold: float) -> dict[str, float]:
    """The share of places answered with a confidence of at least `threshold`, and the accuracy among them."""
    answered = scores.confidence >= threshold
    return {"coverage": float(answered.mean()), "accuracy": float(scores.hits()[answered].mean())}


def _bands(task: Task, scores: Scores) -> dict[str, dict[str, float]]:
    """The results by frequency of the true token in `train`: from each number up to the next."""
    counts = task.counts.clone()
    counts[1:].clamp_(min=_BANDS[0])  # an occurrence at the start of a file is not predicted
    counts[0] = 0  # the unknown
    of_place = counts[task.report.following].numpy()
    results = {}
    for least, most in zip((0, *_BANDS), (1, *_BANDS[1:], np.inf), strict=True):
        inside = (of_place >= least) & (of_place < most)
        results["unknown" if least == 0 else str(least)] = {
            "types": int(((counts >= least) & (counts < most)).sum()) if least else 1,
            "share": float(inside.mean()),
            "nats": float(-scores.log_probability[inside].mean()),
            "right": float(scores.hits()[inside].mean()),
        }
    return results


def _described(model: NextToken, places: int) -> dict[str, Any]:
    return {
        "context": CONTEXT,
        "width": MODEL.width,
        "features": model.context * model.embeddings.shape[1],
        "batch": MODEL.batch_size,
        "steps": MODEL.steps,
        "epochs": MODEL.steps / math.ceil(places / MODEL.batch_size),
        "learning_rate": MODEL.learning_rate,
        "parameters": _parameters(model),
    }


def _parameters(model: NextToken) -> int:
    return sum(tensor.numel() for tensor in (model.embeddings, model.regression.weights, model.regression.biases))


def _rank(model: NextToken, task: Task) -> dict[str, int]:
    """The numeric rank of the logits of many contexts: D + 1 at most, for D features and the biases."""
    contexts = task.report.contexts[:: len(task.report.contexts) // 1000][:1000]
    logits = model.regression.to(dtype=torch.float64).logits(model.features(contexts).double())
    return {"contexts": len(contexts), "rank": int(torch.linalg.matrix_rank(logits, rtol=1e-9))}


def _compared(task: Task) -> tuple[dict[str, Any], dict[str, float]]:
    """Ways to train, in a quarter of the steps: perplexity on `tune`, the number of parameters; and the seconds."""
    narrow, fixed = replace(SHORT, width=SHORT.width // 4), replace(SHORT, learn_embeddings=False)
    ways: dict[str, Callable[[], tuple[LogProbabilities, int]]] = {
        "exact": lambda: _regression(exact(task, SHORT)),
        "narrow": lambda: _regression(exact(task, narrow)),
        "fixed": lambda: _regression(exact(task, fixed)),
        "sampled": lambda: _regression(by_samples(task, SHORT)),
        "adaptive": lambda: adaptive(task, SHORT),
    }
    judged = task.tune.every(_EVERY)
    results: dict[str, Any] = {"steps": SHORT.steps, "places": len(judged)}
    seconds = {}
    for name, fit in ways.items():
        start = time.perf_counter()
        predict, parameters = fit()
        seconds[name] = time.perf_counter() - start
        results[name] = {"perplexity": score(predict, judged).perplexity, "parameters": parameters}
    return results, seconds


def _regression(model: NextToken) -> tuple[LogProbabilities, int]:
    return log_probabilities(model), _parameters(model)
