"""Both models of one data set and one seed, on the same splits."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import selection_rules
from benchmarks.models import peer
from benchmarks.timing import wall_and_processor
from service.contract.certificates import Abstention
from training.certification.scored import score
from training.data.dataset import Dataset, Labelled, LabelledData
from training.data.options import Recipe
from training.data.splits import Splits, sizes, split
from training.fitting.recipes import RECIPES, for_size
from training.fitting.workers import ALONE
from training.job import Job, JobResult, assist, run

RISK = 0.05
_LEAST = float(np.finfo(np.float32).tiny)  # of a probability in a log loss; scikit-learn's own limit is 2e-16


@dataclass(frozen=True, slots=True)
class Figures:
    """One model on the rows of calibration and report together, and the time of its selection and fit."""

    log_loss: float
    accuracy: float
    coverage: float  # the largest share, by falling confidence, with at most 5 % errors: an oracle's
    wall: float  # seconds
    processor: float  # seconds


@dataclass(frozen=True, slots=True)
class Run:
    """Both models on the same splits."""

    name: str
    seed: int
    rows: int  # of all splits
    width: int
    classes: int
    ours: Figures
    theirs: Figures
    c: float  # chosen for theirs
    certified: float  # our certified coverage at 5 % risk; 0 if there is none


def job(dataset: LabelledData, recipe: Recipe, seed: int, out: Path) -> Job:
    """The job of the command line without further options."""
    settings = RECIPES["tuned" if recipe == "auto" else recipe]
    if not isinstance(dataset, Dataset):
        settings = for_size(settings, sizes(dataset, recipe, seed)["train"])
    return Job(recipe, settings, seed, "cpu", out)


def compare(name: str, dataset: LabelledData, recipe: Recipe, seed: int) -> Run:
    """Fit both, one after the other; seeds take turns in who comes first.

    Our fit is timed by itself. The job then repeats it, to certify and to publish: what is scored is the file.
    """
    splits, classes = split(dataset, recipe, seed), len(dataset.classes)
    fitted: list[peer.Peer] = []
    with tempfile.TemporaryDirectory() as folder:
        ours = job(dataset, recipe, seed, Path(folder) / "model.onnx")
        fits = {
            "ours": lambda: assist(ours, dataset, ALONE),
            "theirs": lambda: fitted.append(peer.search(splits.train, splits.tune, dataset.input, classes)),
        }
        order = sorted(fits, reverse=bool(seed % 2))
        times = {each: wall_and_processor(fits[each]) for each in order}
        result = run(ours, dataset)
    theirs = fitted[0]
    parts = _held_out(splits)
    labels = np.concatenate([part.labels for part in parts])
    scores = np.concatenate([score(result.classifier, part).scores.probabilities for part in parts]).astype(np.float64)
    probabilities = scores / scores.sum(axis=1, keepdims=True)  # float32 sums to 1 within 1e-7
    return Run(
        name,
        seed,
        sum(sizes(dataset, recipe, seed).values()),
        theirs.width,
        classes,
        figures(probabilities, labels, *times["ours"]),
        figures(np.concatenate([theirs.probabilities(part) for part in parts]), labels, *times["theirs"]),
        theirs.c,
        _certified(result),
    )


def figures(probabilities: NDArray[np.float64], labels: NDArray[np.int64], wall: float, processor: float) -> Figures:
    """The figures of probabilities `[N, C]`.

    >>> p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.5, 0.5]])
    >>> figures(p, np.array([0, 1, 0, 1]), 1, 1).coverage  # the third is wrong, and the fourth less sure
    0.5
    """
    confidence, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != labels
    threshold = selection_rules.oracle(confidence, wrong, RISK)
    return Figures(
        -float(np.log(np.maximum(probabilities[np.arange(len(labels)), labels], _LEAST)).mean()),
        float(1 - wrong.mean()),
        0.0 if threshold is None else float((confidence >= threshold).mean()),
        wall,
        processor,
    )


def _held_out(splits: Splits) -> list[Labelled]:
    assert splits.calibration is not None
    return [splits.calibration, splits.report]


def _certified(result: JobResult) -> float:
    abstention: Abstention | None = result.manifest.abstention
    assert abstention is not None
    certificate = next(each for each in abstention.selective_risk if each.selective_risk == RISK)
    return certificate.coverage or 0.0
