"""Versions of the tiny model that answer differently, files that may not replace them, and how a file is published."""

import base64
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from service.contract.inputs import ImageInput
from service.contract.manifest import METADATA_KEY, GoldenVectors
from service.inference.manifest_text import MAX_MANIFEST_VALUES
from service.inference.model_file import sha256
from tests import tiny, tiny_features
from training.data.encoders import ImageEncoder
from training.fitting.regression import SoftmaxRegression
from training.publishing.export import to_onnx
from training.publishing.model import Model


@cache
def good(number: int) -> bytes:
    """The file of version `number`, whose weights are those of the tiny model, times 1 + number / 100."""
    return _file(1 + number / 100, git_revision=str(number))


def version_of(file: bytes) -> str:
    """The version as named by answers."""
    return sha256(file)[:12]


def probabilities(file: bytes, images: NDArray[np.uint8]) -> list[list[float]]:
    """onnxruntime's own probabilities of images, `[N, 1, 2]`."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    output: list[list[float]] = session.run(["probabilities"], {"images": images})[0].tolist()
    return output


def publish(file: bytes, path: Path) -> None:
    """Write a file beside its place and rename it, as the training job does."""
    draft = path.with_name(f".{path.name}-draft.tmp")
    draft.write_bytes(file)
    draft.replace(path)


def publish_sparse(size: int, path: Path) -> None:
    """A sparse file of zeros."""
    draft = path.with_name(f".{path.name}-draft.tmp")
    draft.touch()
    os.truncate(draft, size)
    draft.replace(path)


def _file(scale: float, **fields: Any) -> bytes:
    weights = tiny.REGRESSION.weights.detach() * scale
    model = Model(tiny.ENCODER, SoftmaxRegression(weights, torch.zeros(3)), 1.0, tiny.COMPONENTS)
    logits = tiny.IMAGES.reshape(4, 2) / 255 @ weights.numpy().astype(np.float64)
    powers = np.exp(logits)
    golden = tiny.manifest().golden.model_copy(
        update={"probabilities": (powers / powers.sum(axis=1, keepdims=True)).tolist()}
    )
    return to_onnx(model, tiny.manifest().model_copy(update={"golden": golden, **fields}))


def _edited(edit: Callable[[onnx.ModelProto], None]) -> bytes:
    proto = onnx.load_from_string(good(1))
    edit(proto)
    content: bytes = proto.SerializeToString()
    return content


def _with_manifest(text: bytes) -> bytes:
    def edit(proto: onnx.ModelProto) -> None:
        (entry,) = (entry for entry in proto.metadata_props if entry.key == METADATA_KEY)
        entry.value = text.decode()

    return _edited(edit)


def refer_elsewhere(proto: onnx.ModelProto) -> None:
    """Move a tensor to a file beside the model's."""
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="side.bin")


def _wide() -> bytes:
    """A sound model of images of another shape."""
    kind = ImageInput(height=2, width=1)
    golden = GoldenVectors(
        inputs=base64.b64encode(tiny.IMAGES.tobytes()).decode(),
        probabilities=tiny.PROBABILITIES,
        ood_scores=tiny.OOD_SCORES,
        tolerance=1e-6,
    )
    manifest = tiny.manifest().model_copy(update={"input": kind, "golden": golden})
    return to_onnx(Model(ImageEncoder(kind), tiny.REGRESSION, 1.0, tiny.COMPONENTS), manifest)


def _of_rows(folder: Path) -> bytes:
    return tiny_features.write_table(folder).read_bytes()


def _wrong_golden() -> bytes:
    golden = tiny.manifest().golden.model_copy(update={"probabilities": [[0.3, 0.4, 0.3]] * 4})
    return to_onnx(tiny.MODEL, tiny.manifest().model_copy(update={"golden": golden}))


def _bomb() -> bytes:
    return _with_manifest(b'{"schema_version": 6, "labels": [' + b"[]," * MAX_MANIFEST_VALUES + b"[]]}")


# Each with the message in the log.
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is not a model that onnxruntime loads"),
    "no model": (lambda: b"nothing", "is not a model that onnxruntime loads"),
    "truncated": (lambda: good(1)[: len(good(1)) // 2], "model.onnx"),
    "truncated by a byte": (lambda: good(1)[:-1], "model.onnx"),
    "other golden vectors": (_wrong_golden, "does not reproduce its golden vectors"),
    "external data": (lambda: _edited(refer_elsewhere), "refers to external data"),
    "another shape": (_wide, "takes another input than the served model (its height, width)"),
    "other labels": (
        lambda: _file(1, labels=["left", "dark", "right"]),
        "has other labels than the served model, or another order",
    ),
    "another name": (lambda: _file(1, name="other"), "holds the model other, and tiny is served"),
    "a bomb of a manifest": (_bomb, "values: at most"),
    "a deep manifest": (lambda: _with_manifest(b"[" * 100_000), "invalid manifest"),
    "a manifest of nothing": (lambda: _with_manifest(b"{}"), "has a manifest of schema version None"),
}


def uncertified() -> bytes:
    """A sound version that is certified for no policy."""
    return _file(1.5, abstention=None)
