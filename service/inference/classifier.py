"""Loads a `model.onnx`, proves it on this machine, and turns inputs into scores.

The only module that uses onnxruntime. It knows nothing of HTTP, of policies or of the form of a request.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from pydantic_core import from_json

from service.contract.errors import ModelError
from service.contract.manifest import METADATA_KEY, SCHEMA_VERSION, Manifest
from service.inference.model_file import MAX_MODEL_BYTES, read_model, refers_elsewhere, sha256, with_outputs

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read on import; onnxruntime 1.29 and later send telemetry by default

import onnxruntime as ort

VERSION_DIGITS = 12
OUTPUTS = ("probabilities", "confidence", "ood_score")
# What a logit is made of: the names of the graph's inner tensors, as training/publishing/export.py gives them.
INNER_TENSORS = ("levels", "scaled_weights", "scaled_biases")
LIFT_TENSORS = ("mean", "axes", "coordinate_steps", "wide_products", "product_unit")  # and of a lift
# Limits on the memory of a manifest. One of 100,000 classes has some 400,000 values, and a cost matrix of 2,000 classes
# has 4,000,000. Most of the text is real inputs.
MAX_MANIFEST_CHARACTERS = 128 * 1024 * 1024
MAX_MANIFEST_VALUES = 4_100_000
MAX_FIELDS = 256  # of one object: an unknown field makes an error of a kilobyte


@dataclass(frozen=True, slots=True)
class Scores:
    """The graph's outputs for a batch of N inputs over C classes."""

    probabilities: NDArray[np.float32]  # [N, C]
    confidence: NDArray[np.float32]  # [N], the largest probability
    ood_score: NDArray[np.float32]  # [N], larger is less like the training inputs

    @classmethod
    def joined(cls, parts: Iterable["Scores"]) -> "Scores":
        """The scores of several batches as one batch."""
        batches = list(parts)
        return cls(
            np.concatenate([part.probabilities for part in batches]),
            np.concatenate([part.confidence for part in batches]),
            np.concatenate([part.ood_score for part in batches]),
        )

    def part(self, rows: slice) -> "Scores":
        """The scores of some of the inputs."""
        return Scores(self.probabilities[rows], self.confidence[rows], self.ood_score[rows])

    def distance(self, probabilities: NDArray[Any], ood_score: NDArray[Any]) -> tuple[float, float]:
        """The largest absolute difference of a probability, and the largest relative difference of an `ood_score`.

        NaN if any score is NaN.
        """
        difference = np.abs(self.probabilities - probabilities).max()
        relative = (np.abs(self.ood_score - ood_score) / np.maximum(np.abs(ood_score), 1)).max()
        return float(difference), float(relative)


@dataclass(frozen=True, slots=True)
class Classifier:
    """A model that has passed every check of `load`. Safe to share between threads."""

    manifest: Manifest
    path: Path  # where it was loaded from
    sha256: str  # of the file
    inner_tensors: tuple[str, ...]  # INNER_TENSORS and LIFT_TENSORS, if the graph has them
    _session: Any  # onnxruntime.InferenceSession, which has no type stubs

    @classmethod
    def load(cls, path: Path, *, intra_op_threads: int = 1, max_bytes: int = MAX_MODEL_BYTES) -> Self:
        """Read, check and prove the model at `path`.

        The bytes that are hashed are the bytes that are run. Raises ModelError, with the file and the reason, if the
        file is missing, larger than `max_bytes`, not a model, has no valid manifest, refers to other files, or does not
        reproduce its golden vectors.
        """
        return cls.of_bytes(read_model(path, max_bytes), path, intra_op_threads=intra_op_threads)

    @classmethod
    def of_bytes(cls, file: bytes, path: Path, *, intra_op_threads: int = 1, pinned: str | None = None) -> Self:
        """Check and prove a model's bytes, as `load` does; messages name `path`.

        `pinned` is the required SHA-256. It is checked before anything is parsed.
        """
        digest = sha256(file)
        if pinned is not None and digest != pinned:
            raise ModelError(f"{path} has the SHA-256 {digest}, but {pinned} is pinned")
        if refers_elsewhere(file):
            raise ModelError(f"{path} refers to external data: a model must be a single self-contained file")
        session, inner_tensors = _open(path, file, intra_op_threads)
        manifest = _manifest(path, session)
        _check_interface(path, session, manifest, len(inner_tensors))
        model = cls(manifest, path, digest, inner_tensors, session)
        model._replay_golden_vectors(path)
        return model

    @property
    def version(self) -> str:
        """The first 12 hex digits of the file's SHA-256."""
        return self.sha256[:VERSION_DIGITS]

    def scores(self, inputs: NDArray[Any]) -> Scores:
        """Score a batch of inputs, `[N, *row_shape]` in the manifest's dtype (images: uint8 `[N, H, W]`)."""
        return Scores(*self.tensors(OUTPUTS, inputs))

    def tensors(self, names: Sequence[str], inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Outputs or inner tensors of the graph by name, for a batch of inputs as `scores` takes them."""
        arrays: list[NDArray[Any]] = self._session.run(names, {self.manifest.input.name: inputs})
        return arrays

    def _replay_golden_vectors(self, path: Path) -> None:
        golden = self.manifest.golden
        try:
            scores = self.scores(golden.decoded_inputs(self.manifest.input))
            difference, relative = scores.distance(*golden.expected())
        except Exception as error:  # from onnxruntime, or shapes that do not match
            raise ModelError(f"{path} cannot be run on its golden vectors: {error}") from None
        if not (difference <= golden.tolerance and relative <= golden.tolerance):  # written so that NaN fails too
            raise ModelError(
                f"{path} does not reproduce its golden vectors on this machine: largest difference in a "
                f"probability {difference:.3g}, relative in an ood_score {relative:.3g}, allowed {golden.tolerance:.3g}"
            )


def _open(path: Path, file: bytes, intra_op_threads: int) -> tuple[Any, tuple[str, ...]]:
    """A session of the file's bytes, and the inner tensors that it gives as further outputs. Raises ModelError.

    Outputs that a run does not ask for cost it nothing.
    """
    lifted = all(name.encode() in file for name in LIFT_TENSORS)
    for tensors in ([INNER_TENSORS + LIFT_TENSORS] if lifted else []) + [INNER_TENSORS]:
        try:
            return _session(path, with_outputs(file, tensors), intra_op_threads), tensors
        except ModelError:  # the graph has no such tensors, or the file is no model at all
            pass
    return _session(path, file, intra_op_threads), ()


def _session(path: Path, file: bytes, intra_op_threads: int) -> Any:
    """An onnxruntime.InferenceSession of a model's bytes. Raises ModelError, naming `path`."""
    options = ort.SessionOptions()
    # With 0, onnxruntime uses every core of the host, even in a container that may use fewer.
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Further optimizations make this graph no faster, and a session is 33 KB smaller without them, which counts with
    # many models. The arena allocator stays on: without it, large batches fragment the heap.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4  # the exception has the message
    try:
        session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no narrower base class
        raise ModelError(f"{path} is not a model that onnxruntime loads: {error}") from None
    # Kept by onnxruntime to retry with another provider. There is none, and with many models it is much memory.
    session._model_bytes = None
    return session


def _manifest(path: Path, session: Any) -> Manifest:
    try:
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    except UnicodeDecodeError:
        raise ModelError(f"{path} has metadata that is not UTF-8") from None
    if text is None:
        raise ModelError(f"{path} has no metadata {METADATA_KEY!r}: it was not made by `demur fit`")
    _check_size(path, text)
    manifest = _parsed(path, text)
    version = manifest.get("schema_version") if isinstance(manifest, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        raise ModelError(
            f"{path} has a manifest of schema version {version}; this service reads version {SCHEMA_VERSION}: "
            "train the model again with `demur fit`"
        )
    try:
        return Manifest.model_validate(manifest)  # with the text, each error would hold a copy of it
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ModelError(f"{path} has an invalid manifest: {field}: {first['msg']}") from None


def _check_size(path: Path, text: str) -> None:
    """Limit the memory of a manifest before it is parsed: a value of two bytes, such as `[]`, takes fifty."""
    if len(text) > MAX_MANIFEST_CHARACTERS:
        raise ModelError(f"{path} has a manifest of {len(text)} characters: at most {MAX_MANIFEST_CHARACTERS} are read")
    values = sum(text.count(mark) for mark in "[{,")  # an upper bound: each starts a value, or is in a string
    if values > MAX_MANIFEST_VALUES:
        raise ModelError(f"{path} has a manifest of {values} values: at most {MAX_MANIFEST_VALUES} are read")


def _parsed(path: Path, text: str) -> Any:
    """The manifest as JSON values. Raises ModelError for text that is not JSON, and for objects of many fields."""
    try:
        document = from_json(text)
    except ValueError as error:
        raise ModelError(f"{path} has an invalid manifest: the document: Invalid JSON: {error}") from None
    pending = [document]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if len(value) > MAX_FIELDS:
                raise ModelError(f"{path} has a manifest with an object of {len(value)} fields: at most {MAX_FIELDS}")
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(item for item in value if isinstance(item, dict | list))
    return document


def _check_interface(path: Path, session: Any, manifest: Manifest, added: int) -> None:
    """Compare the graph's inputs and outputs, without the batch axis, with those that the manifest promises.

    The last `added` outputs are not the file's.
    """
    onnx_types = {"uint8": "tensor(uint8)", "float32": "tensor(float)", "int64": "tensor(int64)"}
    kind = manifest.input
    expected = [
        (kind.name, onnx_types[kind.dtype.name], list(kind.row_shape)),
        ("probabilities", "tensor(float)", [len(manifest.labels)]),
        ("confidence", "tensor(float)", []),
        ("ood_score", "tensor(float)", []),
    ]
    outputs = session.get_outputs()
    nodes = [*session.get_inputs(), *outputs[: len(outputs) - added]]
    actual = [(node.name, node.type, node.shape[1:]) for node in nodes]
    if actual != expected:
        raise ModelError(f"{path} does not have the inputs and outputs of its manifest: {actual}, not {expected}")
