"""The files of a report, each written whole or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from service.contract.errors import FileError
from service.contract.files import publish
from training.errors import TrainingError
from training.fitting.fit import Epoch
from training.reporting.evaluation.evaluation import Evaluation
from training.reporting.json_files import evaluation_json, metrics_json
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


def check_apart(folder: Path, model: Path) -> None:
    """Raise TrainingError where a report in `folder` would take the model's place."""
    if model.name in NAMES and model.parent.resolve() == folder.resolve():
        raise TrainingError(f"--out {model} is the name of a file of the report: give the model another")


def write_fit(folder: Path, evaluation: Evaluation, history: Sequence[Epoch], seconds: float) -> None:
    """Write `metrics.json`, `curves.png`, `report.html` and its pictures. Raises TrainingError where that cannot be."""
    manifest = evaluation.manifest
    curves = draw_curves(list(history), manifest.training.best_epoch, manifest.data.report_is_held_out)
    training = Picture("curves.png", as_png(curves), "Loss and accuracy over the epochs, on train and on tune.")
    try:
        _write(folder, {"metrics.json": metrics_json(manifest, evaluation.version, history, seconds)})
        _write(folder, _with_page(evaluation, [*draw_all(evaluation), training]))
    except FileError as error:
        raise TrainingError(f"version {evaluation.version} is published, but its report is not: {error}") from None


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Write `evaluation.json`, `report.html` and its pictures. Raises TrainingError where that cannot be done."""
    _write(folder, {"evaluation.json": evaluation_json(evaluation), **_with_page(evaluation, draw_all(evaluation))})


def _with_page(evaluation: Evaluation, pictures: list[Picture]) -> dict[str, bytes]:
    html = page(evaluation, {picture.name: picture for picture in pictures})
    return {**{picture.name: picture.png for picture in pictures}, "report.html": html.encode()}


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        publish(content, folder / name, lambda _: None)
