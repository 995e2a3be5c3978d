"""The state of a fit after its last epoch, in a file, so that a fit that was killed can continue.

The first line names the format and holds the SHA-256 of the rest: tensors and plain values, as `torch.save` writes
them. Nothing else is loaded, so a file from elsewhere cannot run code.
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
from training.fitting.lift import QuadraticLift
from training.fitting.recipes import FitSettings
from training.fitting.regression import SoftmaxRegression

_TITLE = b"demur checkpoint 2 "  # with the version of the format
_MAX_SHOWN = 80  # characters of a value that differs

Identity = dict[str, str | int | float | None]


def identity(
    dataset: LabelledData,
    splits: Splits,
    recipe: Recipe,
    seed: int,
    settings: FitSettings,
    lift: QuadraticLift | None = None,
) -> Identity:
    """The inputs of a fit: another value of any of them gives other weights."""
    labels = hashlib.sha256(splits.train.labels.tobytes() + splits.tune.labels.tobytes())
    return {
        "recipe": recipe,
        "seed": seed,
        **dataclasses.asdict(settings),
        "data fingerprint": dataset.fingerprint,
        "input": dataset.input.model_dump_json(),
        "classes": ", ".join(dataset.classes),
        "train size": len(splits.train),
        "tune size": len(splits.tune),
        "labels in the order drawn": labels.hexdigest(),
        "coordinates of the lift": None if lift is None else _digest(lift),
    }


def _digest(lift: QuadraticLift) -> str:
    """Another processor may round the principal axes otherwise, and weights fit their own axes only."""
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in lift.tensors)).hexdigest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file of one fit."""

    path: Path
    identity: Identity

    def save(self, state: State) -> None:
        """Replace the state of the epoch before, completely or not at all. Raises CheckpointError."""
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

        Raises CheckpointError where the file is damaged or belongs to another fit, with the differences.
        """
        try:
            title, _, content = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointError(f"cannot read the checkpoint {self.path}: {error.strerror}") from None
        if title != _TITLE + hashlib.sha256(content).hexdigest().encode():
            raise CheckpointError(
                f"the checkpoint {self.path} is damaged or has another version: remove it to fit from the start"
            )
        content_of_file = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        self._check(content_of_file["identity"])
        return _state(content_of_file["state"])

    def _check(self, other: Identity) -> None:
        differences = [
            f"{name} {str(other.get(name))[:_MAX_SHOWN]} in the file, {str(value)[:_MAX_SHOWN]} in this fit"
            for name, value in self.identity.items()
            if other.get(name) != value
        ]
        if differences:
            raise CheckpointError(
                f"the checkpoint {self.path} belongs to another fit ({'; '.join(differences)}): "
                "remove it, or name another by --checkpoint"
            )


def require(path: Path | None) -> None:
    """Raise CheckpointError where there is no checkpoint to continue from."""
    if path is None:
        raise CheckpointError("--resume needs --checkpoint PATH")
    try:
        path.stat()
    except OSError as error:
        raise CheckpointError(f"--resume: cannot read the checkpoint {path}: {error.strerror}") from None


def remove(path: Path) -> None:
    """Remove the checkpoint of a published fit, and what killed jobs left beside it. Raises CheckpointError."""
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
        "lift": None if state.model.lift is None else [tensor.cpu() for tensor in state.model.lift.tensors],
    }


def _state(plain: dict[str, Any]) -> State:
    velocity, best = plain["velocity"], plain["best"]
    lift = None if plain["lift"] is None else QuadraticLift(*plain["lift"])
    return State(
        model=SoftmaxRegression(**plain["model"], lift=lift),
        velocity=None if velocity is None else SoftmaxRegression(**velocity),
        best=Best(best["loss"], best["epoch"], SoftmaxRegression(**best["model"], lift=lift)),
        history=[Epoch(e["number"], Quality(**e["train"]), Quality(**e["tune"])) for e in plain["history"]],
        generator=plain["generator"],
    )


def _tensors(model: SoftmaxRegression) -> dict[str, Tensor | None]:
    products = None if model.products is None else model.products.cpu()
    return {"weights": model.weights.cpu(), "biases": model.biases.cpu(), "products": products}
