"""What a person reads: progress on a terminal and elsewhere, the metrics file and the picture."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import tiny
from training.errors import TrainingError
from training.fit import Epoch, Quality
from training.report import Progress, draw_curves, write

HISTORY = [
    Epoch(1, Quality(0.9, 0.7), Quality(0.8, 0.75)),
    Epoch(2, Quality(0.6, 0.8), Quality(0.7, 0.78)),
]


def test_progress_is_a_line_an_epoch_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    progress = Progress(2, stream)
    for epoch in HISTORY:
        progress(epoch)
    progress.close()
    assert stream.getvalue() == (
        "epoch 1/2: train loss 0.9000 accuracy 0.7000, tune loss 0.8000 accuracy 0.7500\n"
        "epoch 2/2: train loss 0.6000 accuracy 0.8000, tune loss 0.7000 accuracy 0.7800\n"
    )


def test_progress_is_a_bar_on_a_terminal() -> None:
    outer, inner = os.openpty()
    with os.fdopen(inner, "w") as stream:
        progress = Progress(2, stream)
        for epoch in HISTORY:
            progress(epoch)
        progress.close()
        shown = b""
        while b"\n" not in shown:  # the bar's last state ends its line
            shown += os.read(outer, 10_000)
    os.close(outer)
    assert b"100%" in shown
    assert b"2/2" in shown
    assert b"tune loss 0.7000 accuracy 0.7800" in shown


def test_write_leaves_metrics_and_a_picture(tmp_path: Path) -> None:
    write(tmp_path, tiny.manifest(), "0123456789ab", HISTORY, 1.23456)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["model"] == {"name": "tiny", "version": "0123456789ab"}
    assert metrics["fit_seconds"] == 1.235
    assert metrics["metrics"] == {"split": "report", "size": 4, "accuracy": 1.0, "nll": 0.5}
    assert metrics["history"][1] == {
        "number": 2,
        "train": {"loss": 0.6, "accuracy": 0.8},
        "tune": {"loss": 0.7, "accuracy": 0.78},
    }
    with Image.open(tmp_path / "curves.png") as picture:
        picture.load()
        assert picture.width > 1000
        assert len(set(picture.convert("RGB").get_flattened_data())) > 10


def test_report_that_cannot_be_written_says_that_the_model_is_published(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").mkdir()
    with pytest.raises(TrainingError, match=r"^version 0123456789ab is published, but its report is not: .*Is a direc"):
        write(tmp_path, tiny.manifest(), "0123456789ab", HISTORY, 1.0)


@pytest.mark.parametrize(
    ("held_out", "label"), [(True, "tune (held out of training)"), (False, "tune (the official test images)")]
)
def test_curves_are_labelled(held_out: bool, label: str) -> None:
    loss, accuracy = draw_curves(HISTORY, 2, held_out).axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == (
        "cross-entropy (nats)",
        "accuracy (share of right labels)",
    )
    assert loss.get_xlabel() == accuracy.get_xlabel() == "epoch"
    assert [line.get_label() for line in loss.lines] == ["train (mean over the epoch)", label, "kept: epoch 2"]
    assert np.asarray(accuracy.lines[1].get_ydata()).tolist() == [0.75, 0.78]
