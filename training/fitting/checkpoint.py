"""Where a fit stood after its last epoch, in a file, so that it can go on after it was killed.

The file is one line, which names it and holds the SHA-256 of what follows, and then tensors and plain values as
`torch.save` writes them; they are loaded as such and as nothing else, so a file from elsewhere cannot run code.
"""

import dataclasses
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from service.contract.errors import FileError
from service.contract.files import publish, remove_left_behind
from training.data.dataset import LabelledData
from training.data.options import Recipe
from training.data.splits import Splits
from training.errors import CheckpointError
from training.fitting.fit import Best, Epoch, Quality, State
from training.fitting.recipes import FitSettings
from training.fitting.regression import SoftmaxRegression

_TITLE = b"demur checkpoint 1 "  # the number is the form's version
_SHOWN = 80  # characters of a value that differs

Identity = dict[str, str | int | float | None]


def identity(dataset: LabelledData, splits: Splits, recipe: Recipe, seed: int, settings: FitSettings) -> Identity:
    """What a fit is the fit of: another value of any of these gives other weights."""
    drawn = hashlib.sha256(splits.train.labels.tobytes() + splits.tune.labels.tobytes())
    return {
        "recipe": recipe,
        "seed": seed,
        **dataclasses.asdict(settings),
        "data fingerprint": dataset.fingerprint,
        "input": dataset.input.model_dump_json(),
        "classes": ", ".join(dataset.classes),
        "train size": len(splits.train),
        "tune size": len(splits.tune),
        "labels in the order drawn": drawn.hexdigest(),
    }


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file of one fit."""

    path: Path
    identity: Identity

    def save(self, state: State) -> None:
        """Write the state over that of the epoch before, whole or not at all. Raises CheckpointError."""
        stream = io.BytesIO()
        torch.save({"identity": self.identity, "state": _plain(state)}, stream)
        content = stream.getvalue()
        title = _TITLE + hashlib.sha256(content).hexdigest().encode() + b"\n"
        try:
            publish(title + content, self.path, lambda _: None)
        except FileError as error:
            raise CheckpointError(f"--checkpoint: {error}") from None

    def load(self) -> State | None:
        """The state in the file, on the CPU; None where there is no file.

        Raises CheckpointError where it is damaged, or that of another fit, and then says what differs.
        """
        try:
            title, _, content = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointError(f"cannot read the checkpoint {self.path}: {error.strerror}") from None
        if title != _TITLE + hashlib.sha256(content).hexdigest().encode():
            raise CheckpointError(
                f"the checkpoint {self.path} is damaged, or not one of this version: remove it to fit from the start"
            )
        held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        self._check(held["identity"])
        return _state(held["state"])

    def _check(self, held: Identity) -> None:
        differences = [
            f"{name} {str(held.get(name))[:_SHOWN]} there, {str(value)[:_SHOWN]} here"
            for name, value in self.identity.items()
            if held.get(name) != value
        ]
        if differences:
            raise CheckpointError(
                f"the checkpoint {self.path} is of another fit ({'; '.join(differences)}): "
                "remove it, or name another by --checkpoint"
            )


def require(path: Path | None) -> None:
    """That there is a checkpoint to go on from. Raises CheckpointError."""
    if path is None:
        raise CheckpointError("--resume needs --checkpoint PATH")
    try:
        path.stat()
    except OSError as error:
        raise CheckpointError(f"--resume: cannot read the checkpoint {path}: {error.strerror}") from None


def remove(path: Path) -> None:
    """The checkpoint of a fit that is published, and what killed jobs left beside it. Raises CheckpointError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise CheckpointError(f"cannot remove the checkpoint {path}: {error.strerror}") from None
    remove_left_behind(path)


def _plain(state: State) -> dict[str, Any]:
    return {
        "model": _tensors(state.model),
        "velocity": None if state.velocity is None else _tensors(state.velocity),
        "best": {"loss": state.best.loss, "epoch": state.best.epoch, "model": _tensors(state.best.model)},
        "history": [dataclasses.asdict(epoch) for epoch in state.history],
        "generator": state.generator,
    }


def _state(plain: dict[str, Any]) -> State:
    velocity, best = plain["velocity"], plain["best"]
    return State(
        model=_regression(plain["model"]),
        velocity=None if velocity is None else _regression(velocity),
        best=Best(best["loss"], best["epoch"], _regression(best["model"])),
        history=[Epoch(e["number"], Quality(**e["train"]), Quality(**e["tune"])) for e in plain["history"]],
        generator=plain["generator"],
    )


def _tensors(model: SoftmaxRegression) -> dict[str, Tensor]:
    return {"weights": model.weights.cpu(), "biases": model.biases.cpu()}


def _regression(tensors: dict[str, Tensor]) -> SoftmaxRegression:
    return SoftmaxRegression(tensors["weights"], tensors["biases"])
