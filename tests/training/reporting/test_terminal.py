"""Progress on a terminal and elsewhere."""

import io
import os

from tests.training.conftest import HISTORY
from training.reporting.terminal import Progress


def test_progress_is_one_line_per_epoch_without_a_terminal() -> None:
    stream = io.StringIO()
    progress = Progress(2, stream)
    for epoch in HISTORY:
        progress.epoch(epoch)
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
            progress.epoch(epoch)
        progress.close()
        shown = b""
        while b"\n" not in shown:  # the bar's last state ends its line
            shown += os.read(outer, 10_000)
    os.close(outer)
    assert b"100%" in shown
    assert b"2/2" in shown
    assert b"tune loss 0.7000 accuracy 0.7800" in shown
