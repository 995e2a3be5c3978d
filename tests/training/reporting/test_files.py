"""The files of a report: all present, complete, and replaced together."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from service.contract.errors import FileError
from tests.training.conftest import HISTORY
from training.errors import TrainingError
from training.reporting.evaluation.evaluation import Evaluation
from training.reporting.files import NAMES, write_evaluation, write_fit

PICTURES = {
    "risk-coverage.png",
    "reliability.png",
    "classes.png",
    "confusion.png",
    "out-of-distribution.png",
    "abstained.png",
}


@pytest.fixture(scope="module")
def fit_report(tmp_path_factory: pytest.TempPathFactory, tiny_evaluation: Evaluation) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    write_fit(folder, tiny_evaluation, HISTORY, 1.23456)
    return folder


@pytest.fixture(scope="module")
def evaluation_report(tmp_path_factory: pytest.TempPathFactory, tiny_evaluation: Evaluation) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    write_evaluation(folder, tiny_evaluation)
    return folder


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_fit_writes_metrics_pictures_and_a_page(fit_report: Path, tiny_evaluation: Evaluation) -> None:
    assert _names(fit_report) == PICTURES | {"metrics.json", "curves.png", "report.html"}
    metrics = json.loads((fit_report / "metrics.json").read_text())
    assert metrics["model"] == {"name": "tiny", "version": tiny_evaluation.version}
    assert metrics["fit_seconds"] == 1.235
    assert {name: metrics["metrics"][name] for name in ("split", "size", "accuracy", "nll")} == {
        "split": "report",
        "size": 4,
        "accuracy": 1.0,
        "nll": 0.5,
    }
    assert metrics["history"][1] == {
        "number": 2,
        "train": {"loss": 0.6, "accuracy": 0.8},
        "tune": {"loss": 0.7, "accuracy": 0.78},
    }


def test_evaluation_writes_numbers_pictures_and_a_page(evaluation_report: Path, tiny_evaluation: Evaluation) -> None:
    assert _names(evaluation_report) == PICTURES | {"evaluation.json", "report.html"}
    document = json.loads((evaluation_report / "evaluation.json").read_text())
    assert document["model"] == {"name": "tiny", "version": tiny_evaluation.version}
    assert document["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert document["classes"][2] == {"label": "right", "size": 2, "answered": 2, "errors": 1, "given": 1, "wrong": 0}
    assert document["risk_coverage"]["full_risk"]["value"] == 0.25
    assert [point["policy"]["kind"] for point in document["operating_points"]][-1] == "never_abstain"
    assert document["strange_inputs"][4]["name"] == "all white"
    assert document["prediction_sets"][0]["promise"]["method"] == "lac"


def test_pictures_can_be_decoded(fit_report: Path) -> None:
    for name in [*PICTURES, "curves.png"]:
        with Image.open(fit_report / name) as picture:
            picture.load()
            assert picture.width > 700
            assert len(set(picture.convert("RGB").get_flattened_data())) > 10, name


def test_same_evaluation_gives_the_same_bytes(
    tmp_path: Path, evaluation_report: Path, tiny_evaluation: Evaluation
) -> None:
    write_evaluation(tmp_path, tiny_evaluation)
    assert _names(tmp_path) == _names(evaluation_report)
    for name in _names(evaluation_report):
        assert (tmp_path / name).read_bytes() == (evaluation_report / name).read_bytes(), name


def test_fit_report_that_cannot_be_written_says_that_the_model_is_published(
    tmp_path: Path, tiny_evaluation: Evaluation
) -> None:
    (tmp_path / "metrics.json").mkdir()
    message = rf"^version {tiny_evaluation.version} is published, but its report could not be written: .*Is a direc"
    with pytest.raises(TrainingError, match=message):
        write_fit(tmp_path, tiny_evaluation, HISTORY, 1.0)


def test_no_partial_files_stay(tmp_path: Path, tiny_evaluation: Evaluation) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(FileError, match=r"^cannot write .*report\.html: Is a directory$"):
        write_evaluation(tmp_path, tiny_evaluation)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_names_of_the_report_files(fit_report: Path, evaluation_report: Path) -> None:
    """The command line keeps other outputs apart from them."""
    assert _names(fit_report) | _names(evaluation_report) <= NAMES
