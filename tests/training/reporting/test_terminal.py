"""Progress on a terminal and elsewhere."""

import io
import os
import re
from collections.abc import Callable

import torch

from tests.training.conftest import HISTORY
from training.fitting.auto.trials import Trial
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


def test_trials_are_a_line_each_without_a_terminal() -> None:
    stream = io.StringIO()
    _search(Progress(None, stream))
    assert stream.getvalue() == (
        "tried the features alone: held-out loss 0.5000\n"
        "epoch 1: train loss 0.9000 accuracy 0.7000, tune loss 0.8000 accuracy 0.7500\n"
        "epoch 2: train loss 0.6000 accuracy 0.8000, tune loss 0.7000 accuracy 0.7800\n"
        "tried products of 64 coordinates, moved pictures, short fit: held-out loss 0.2500\n"
    )


def test_progress_is_a_bar_on_a_terminal() -> None:
    def run(progress: Progress) -> None:
        for epoch in HISTORY:
            progress.epoch(epoch)

    shown = _on_a_terminal(run, 2)
    assert "100%" in shown
    assert "2/2" in shown
    assert "tune loss 0.7000 accuracy 0.7800" in shown


def test_bar_says_what_is_being_tried_until_it_is() -> None:
    parts = [part.strip() for part in re.split(r"[\r\n]+", _on_a_terminal(_search, None)) if part.strip()]
    first, second = (parts.index(f"tried {words}") for words in (TRIED_FIRST, TRIED_SECOND))
    assert any(part.startswith("trying the features alone: ") for part in parts[:first])
    between = parts[first + 1 : second]
    assert any(part.startswith("trying products of 64 coordinates, moved pictures: ") for part in between)
    assert not any("trying the features alone" in part for part in between)
    assert not any("trying" in part for part in parts[second:])
    assert all(len(f"tried {words}") <= 81 for words in (TRIED_FIRST, TRIED_SECOND))


TRIED_FIRST = "the features alone: held-out loss 0.5000"
TRIED_SECOND = "products of 64 coordinates, moved pictures, short fit: held-out loss 0.2500"


def _search(progress: Progress) -> None:
    progress.trying(0, "none")
    progress.trial(Trial(0.1, 0, "none", torch.tensor([0.5, 0.5])))
    progress.trying(64, "shift")
    for epoch in HISTORY:
        progress.epoch(epoch)
    progress.trial(Trial(0.1, 64, "shift", torch.tensor([0.25]), short=True))


def _on_a_terminal(run: Callable[[Progress], None], epochs: int | None) -> str:
    """All that is shown."""
    outer, inner = os.openpty()
    with os.fdopen(inner, "w") as stream:
        progress = Progress(epochs, stream)
        run(progress)
        progress.close()
        stream.write("end")
        stream.flush()
        shown = b""
        while not shown.endswith(b"end"):
            shown += os.read(outer, 10_000)
    os.close(outer)
    return shown.decode()
