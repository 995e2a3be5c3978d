"""A fit resumed from a file equals an uninterrupted one; damaged files and those of other fits are rejected."""

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.training.fitting.lifts import lift_on
from training.data.dataset import Dataset
from training.data.splits import split
from training.errors import CheckpointError
from training.fitting.checkpoint import Checkpoint, Identity, identity
from training.fitting.examples import Examples
from training.fitting.fit import Fit, State, fit
from training.fitting.lift import QuadraticLift
from training.fitting.recipes import CHAPTER, TUNED, FitSettings

EPOCHS = 6
WHAT: Identity = {"data fingerprint": "ab" * 32, "seed": 3, "learning_rate": 0.1, "clip_norm": None}


def _examples(count: int, seed: int) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 4, generator=generator)
    return Examples(features, torch.randint(3, (count,), generator=generator))


TRAIN, TUNE = _examples(200, 0), _examples(50, 1)


LIFT = lift_on(TRAIN.features, 3)


def _fit(
    settings: FitSettings,
    checkpoint: Checkpoint | None = None,
    stop_after: int = EPOCHS,
    lift: QuadraticLift | None = None,
) -> Fit:
    """A fit that an error from the callback interrupts after epoch `stop_after`, unless that is the last."""

    def on_state(state: State) -> None:
        if checkpoint is not None:
            checkpoint.save(state)
        if len(state.history) == stop_after < EPOCHS:
            raise InterruptedError

    start = None if checkpoint is None else checkpoint.load()
    generator = torch.Generator().manual_seed(3 if start is None else 4)  # its state is in the file
    return fit(TRAIN, TUNE, 3, settings, generator, start=start, on_state=on_state, lift=lift)


@pytest.mark.parametrize("stop_after", [1, 3, 5])
@pytest.mark.parametrize(
    "settings",
    [
        dataclasses.replace(TUNED, epochs=EPOCHS, batch_size=32, learning_rate=0.5),
        dataclasses.replace(CHAPTER, epochs=EPOCHS, batch_size=32, schedule="cosine", weight_decay=0.01),
    ],
    ids=["momentum, the best epoch", "no momentum, the last epoch"],
)
@pytest.mark.parametrize("lift", [None, LIFT], ids=["plain", "lifted"])
def test_resumed_fit_equals_an_uninterrupted_one(
    tmp_path: Path, settings: FitSettings, stop_after: int, lift: QuadraticLift | None
) -> None:
    uninterrupted = _fit(settings, lift=lift)
    checkpoint = Checkpoint(tmp_path / "fit.checkpoint", WHAT)
    with pytest.raises(InterruptedError):
        _fit(settings, checkpoint, stop_after, lift)
    state = checkpoint.load()
    assert state is not None
    assert len(state.history) == stop_after
    resumed = _fit(settings, checkpoint, lift=lift)
    for tensor, expected in zip(resumed.model.tensors, uninterrupted.model.tensors, strict=True):
        assert torch.equal(tensor, expected)
    assert (resumed.model.lift is None) == (lift is None)
    assert (resumed.history, resumed.best_epoch) == (uninterrupted.history, uninterrupted.best_epoch)


def test_finished_fit_is_not_repeated(tmp_path: Path) -> None:
    settings = dataclasses.replace(TUNED, epochs=EPOCHS)
    checkpoint = Checkpoint(tmp_path / "fit.checkpoint", WHAT)
    uninterrupted = _fit(settings, checkpoint)
    states: list[State] = []
    again = fit(TRAIN, TUNE, 3, settings, torch.Generator(), start=checkpoint.load(), on_state=states.append)
    assert states == []
    assert torch.equal(again.model.weights, uninterrupted.model.weights)
    assert again.history == uninterrupted.history


def test_float64_stays_float64(tmp_path: Path) -> None:
    wide = Examples(TRAIN.features.double(), TRAIN.labels)
    checkpoint = Checkpoint(tmp_path / "fit.checkpoint", WHAT)
    settings = dataclasses.replace(TUNED, epochs=1)
    fitted = fit(wide, wide, 3, settings, torch.Generator().manual_seed(0), on_state=checkpoint.save)
    state = checkpoint.load()
    assert state is not None
    assert state.model.weights.dtype == torch.float64
    assert torch.equal(state.model.weights, fitted.model.weights)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "fit.checkpoint"
    _fit(dataclasses.replace(TUNED, epochs=1), Checkpoint(path, WHAT))
    return path


def test_missing_checkpoint_loads_nothing_and_no_other_files_stay(tmp_path: Path, written: Path) -> None:
    assert list(tmp_path.iterdir()) == [written]
    assert Checkpoint(tmp_path / "other", WHAT).load() is None


def test_checkpoint_of_another_fit_is_rejected_with_the_difference(written: Path) -> None:
    other = Checkpoint(written, {**WHAT, "learning_rate": 0.2, "clip_norm": 1.0})
    with pytest.raises(CheckpointError) as stopped:
        other.load()
    assert str(stopped.value) == (
        f"the checkpoint {written} belongs to another fit (learning_rate 0.1 in the file, 0.2 in this fit; "
        "clip_norm None in the file, 1.0 in this fit): remove it, or name another by --checkpoint"
    )


@pytest.mark.parametrize("place", [0, 25, 90, -1])
def test_damaged_byte_is_detected_anywhere(written: Path, place: int) -> None:
    content = bytearray(written.read_bytes())
    content[place] ^= 1
    written.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"the checkpoint {written} is damaged or has another version"):
        Checkpoint(written, WHAT).load()


@pytest.mark.parametrize("content", [b"", b"\n", b"PK\x03\x04", b"demur checkpoint 1 \n"])
def test_other_files_are_rejected(written: Path, content: bytes) -> None:
    written.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged or has another version: remove it"):
        Checkpoint(written, WHAT).load()


def test_truncated_file_is_rejected(written: Path) -> None:
    content = written.read_bytes()
    written.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="is damaged"):
        Checkpoint(written, WHAT).load()


def test_unreadable_or_unwritable_place_is_reported_in_one_line(tmp_path: Path, written: Path) -> None:
    with pytest.raises(CheckpointError, match=f"cannot read the checkpoint {tmp_path}: Is a directory"):
        Checkpoint(tmp_path, WHAT).load()
    state = Checkpoint(written, WHAT).load()
    assert state is not None
    with pytest.raises(CheckpointError, match=f"^--checkpoint: cannot write {tmp_path}: Is a directory"):
        Checkpoint(tmp_path, WHAT).save(state)


def test_identity_covers_data_splits_and_settings(dataset: Dataset) -> None:
    def of(seed: int, settings: FitSettings, lift: QuadraticLift | None = None) -> Identity:
        return identity(dataset, split(dataset, "tuned", seed), "tuned", seed, settings, lift)

    first, again = of(0, TUNED), of(0, TUNED)
    assert first == again
    assert first["data fingerprint"] == dataset.fingerprint
    assert (first["train size"], first["tune size"]) == (50_000, 10_000)
    other = of(1, dataclasses.replace(TUNED, epochs=3))
    assert {name for name in first if first[name] != other[name]} == {"seed", "epochs", "labels in the order drawn"}
    turned = dataclasses.replace(LIFT, projection=-LIFT.projection)  # as another processor may find it
    lifted, shifted = of(0, TUNED, LIFT), of(0, dataclasses.replace(TUNED, lift=3, augment="shift"), turned)
    assert {name for name in first if lifted[name] != shifted[name]} == {"lift", "augment", "coordinates of the lift"}
