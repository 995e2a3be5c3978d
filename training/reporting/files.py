"""The files of a report and of a sweep. Each report file is written completely or not at all."""

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.contract.errors import FileError
from service.contract.files import publish
from service.contract.manifest import Manifest
from training.errors import TrainingError
from training.fitting.fit import Epoch
from training.fitting.recipes import FitSettings
from training.fitting.sweep.runs import Run
from training.fitting.sweep.together import Diverged
from training.reporting.evaluation.evaluation import Evaluation, StrangeSet
from training.reporting.page import page
from training.reporting.pictures.curves import draw_curves
from training.reporting.pictures.sheet import Picture, as_png, draw_all

NAMES = frozenset(
    {
        "metrics.json",
        "evaluation.json",
        "report.html",
        "curves.png",
        "risk-coverage.png",
        "reliability.png",
        "classes.png",
        "confusion.png",
        "out-of-distribution.png",
        "abstained.png",
    }
)

SWEEP_NAMES = frozenset({"sweep.csv", "sweep.png", "sweep.html"})

SWEEP_COLUMNS = [
    *[field.name for field in dataclasses.fields(FitSettings)],
    *["seed", "diverged", "epoch", "train_loss", "train_accuracy", "tune_loss", "tune_accuracy", "seconds"],
]


def write_fit(folder: Path, evaluation: Evaluation, history: Sequence[Epoch], seconds: float) -> None:
    """Write `metrics.json`, `curves.png`, `report.html` and its pictures. Raises TrainingError where it cannot."""
    manifest = evaluation.manifest
    curves = draw_curves(list(history), manifest.training.best_epoch, manifest.data.report_is_held_out)
    training = Picture("curves.png", as_png(curves), "Loss and accuracy over the epochs, on train and on tune.")
    try:
        _write(folder, {"metrics.json": _metrics_json(manifest, evaluation.version, history, seconds)})
        _write(folder, _with_page(evaluation, [*draw_all(evaluation), training]))
    except FileError as error:
        raise TrainingError(
            f"version {evaluation.version} is published, but its report could not be written: {error}"
        ) from None


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write `evaluation.json`, `report.html` and its pictures. Raises TrainingError where it cannot."""
    _write(folder, {"evaluation.json": _evaluation_json(evaluation), **_with_page(evaluation, draw_all(evaluation))})


def sweep_csv(runs: Sequence[Run]) -> str:
    """The runs as CSV. `epoch` is the kept one, or the one in which the run diverged; then there is no loss."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(SWEEP_COLUMNS)
    for run in runs:
        kept, outcome = run.kept, run.outcome
        qualities = ["", "", "", ""]
        if kept is not None:
            qualities = [repr(q) for part in (kept.train, kept.tune) for q in (part.loss, part.accuracy)]
        settings = ["" if value is None else value for value in dataclasses.astuple(run.settings)]
        epoch = outcome.epoch if isinstance(outcome, Diverged) else outcome.best_epoch
        diverged = str(isinstance(outcome, Diverged)).lower()
        writer.writerow([*settings, run.seed, diverged, epoch, *qualities, f"{run.seconds:.3f}"])
    return stream.getvalue()


def _with_page(evaluation: Evaluation, pictures: list[Picture]) -> dict[str, bytes]:
    html = page(evaluation, {picture.name: picture for picture in pictures})
    return {**{picture.name: picture.png for picture in pictures}, "report.html": html.encode()}


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        publish(content, folder / name, lambda _: None)


def _metrics_json(manifest: Manifest, version: str, history: Sequence[Epoch], seconds: float) -> bytes:
    """The quality, settings and data from the manifest, and the results of each epoch."""
    return _json_bytes(
        {
            "model": {"name": manifest.name, "version": version},
            "fit_seconds": round(seconds, 3),
            **manifest.model_dump(mode="json", include={"metrics", "training", "data", "versions"}),
            "history": [asdict(epoch) for epoch in history],
        }
    )


def _evaluation_json(evaluation: Evaluation) -> bytes:
    """All measurements on the report split, except those of single inputs."""
    manifest = evaluation.manifest
    return _json_bytes(
        {
            "model": {"name": manifest.name, "version": evaluation.version},
            "report": manifest.data.splits["report"].model_dump(),
            "metrics": manifest.metrics.model_dump(mode="json", exclude={"operating_points"}),
            "operating_points": [point.model_dump(mode="json") for point in evaluation.points],
            "risk_coverage": {name: asdict(estimate) for name, estimate in evaluation.risk_coverage.items()},
            "classes": [asdict(c) for c in evaluation.classes],
            "confusion": evaluation.confusion.tolist(),
            "strange_inputs": [_strange(strange) for strange in evaluation.strange],
            "prediction_sets": [
                {**asdict(sets), "promise": sets.promise.model_dump(mode="json")} for sets in evaluation.prediction_sets
            ],
            "false_alarms": evaluation.false_alarms,
            "contradictions": evaluation.contradictions,
        }
    )


def _strange(strange: StrangeSet) -> dict[str, Any]:
    return {
        "name": strange.name,
        "size": len(strange.inputs),
        "by_ood_score": asdict(strange.by_ood_score),
        "by_confidence": asdict(strange.by_confidence),
        "turned_away": strange.flagged,
        "answered": strange.answered,
    }


def _json_bytes(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
