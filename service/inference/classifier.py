"""The model at work: proves a `model.onnx` on this machine, then turns inputs into probabilities.

The only module that knows onnxruntime. It knows nothing of HTTP, of policies or of how inputs arrive.
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

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is imported; 1.29 and later send by default

import onnxruntime as ort

VERSION_DIGITS = 12
OUTPUTS = ("probabilities", "confidence", "ood_score")
# What a logit is made of: the names of the graph's inner tensors, as training/publishing/export.py gives them.
INNER_TENSORS = ("levels", "logits", "scaled_weights", "scaled_biases")
# What a manifest may come to in memory. One of 100,000 classes has some 400,000 values, and a matrix of costs between
# 2,000 classes is 4,000,000; most of the text are real inputs.
MAX_MANIFEST_CHARACTERS = 128 * 1024 * 1024
MAX_MANIFEST_VALUES = 4_100_000
MAX_FIELDS = 256  # of one object: each that is not known is an error that takes a kilobyte


@dataclass(frozen=True, slots=True)
class Scores:
    """What the graph says of a batch of N inputs over C classes."""

    probabilities: NDArray[np.float32]  # [N, C]
    confidence: NDArray[np.float32]  # [N], the largest probability
    ood_score: NDArray[np.float32]  # [N], how unlike the training inputs

    @classmethod
    def joined(cls, parts: Iterable["Scores"]) -> "Scores":
        """The scores of several batches as those of one."""
        listed = list(parts)
        return cls(
            np.concatenate([part.probabilities for part in listed]),
            np.concatenate([part.confidence for part in listed]),
            np.concatenate([part.ood_score for part in listed]),
        )

    def part(self, rows: slice) -> "Scores":
        """Those of some of the inputs."""
        return Scores(self.probabilities[rows], self.confidence[rows], self.ood_score[rows])

    def distance(self, probabilities: NDArray[Any], ood_score: NDArray[Any]) -> tuple[float, float]:
        """The largest absolute difference in a probability, and the largest relative one in an `ood_score`.

        Not a number where any is not.
        """
        difference = np.abs(self.probabilities - probabilities).max()
        relative = (np.abs(self.ood_score - ood_score) / np.maximum(np.abs(ood_score), 1)).max()
        return float(difference), float(relative)


@dataclass(frozen=True, slots=True)
class Classifier:
    """A model that has passed every check of `load`; safe to share between threads."""

    manifest: Manifest
    path: Path  # where it was loaded from
    sha256: str  # of the file
    names_inner_tensors: bool  # whether the graph has INNER_TENSORS
    _session: Any  # onnxruntime.InferenceSession, which has no type stubs

    @classmethod
    def load(cls, path: Path, *, intra_op_threads: int = 1, max_bytes: int = MAX_MODEL_BYTES) -> Self:
        """Read, check and prove the model at `path`.

        The bytes that are hashed are the bytes that are run. Raises ModelError, naming the file and the
        reason, when the file is missing, larger than `max_bytes`, not a model, without a valid manifest,
        dependent on other files, or gives other probabilities here than its golden vectors say.
        """
        return cls.of_bytes(read_model(path, max_bytes), path, intra_op_threads=intra_op_threads)

    @classmethod
    def of_bytes(cls, file: bytes, path: Path, *, intra_op_threads: int = 1, pinned: str | None = None) -> Self:
        """Check and prove the model that `file` is, by the name of `path`, as `load` does.

        `pinned` is the SHA-256 that it must have: of another file nothing is parsed.
        """
        digest = sha256(file)
        if pinned is not None and digest != pinned:
            raise ModelError(f"{path} has the SHA-256 {digest}, and pinned is {pinned}")
        if refers_elsewhere(file):
            raise ModelError(f"{path} refers to external data: a model must be one self-contained file")
        session, names_inner_tensors = _open(path, file, intra_op_threads)
        manifest = _manifest(path, session)
        _check_interface(path, session, manifest, len(INNER_TENSORS) if names_inner_tensors else 0)
        model = cls(manifest, path, digest, names_inner_tensors, session)
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
        found: list[NDArray[Any]] = self._session.run(names, {self.manifest.input.name: inputs})
        return found

    def _replay_golden_vectors(self, path: Path) -> None:
        golden = self.manifest.golden
        try:
            found = self.scores(golden.decoded_inputs(self.manifest.input))
            difference, relative = found.distance(*golden.expected())
        except Exception as error:  # onnxruntime's, or shapes that do not fit one another
            raise ModelError(f"{path} cannot be run on its golden vectors: {error}") from None
        if not (difference <= golden.tolerance and relative <= golden.tolerance):  # so written, NaN fails too
            raise ModelError(
                f"{path} does not reproduce its golden vectors on this machine: largest difference in a "
                f"probability {difference:.3g}, relative in an ood_score {relative:.3g}, allowed {golden.tolerance:.3g}"
            )


def _open(path: Path, file: bytes, intra_op_threads: int) -> tuple[Any, bool]:
    """A session of the file's bytes, and whether it gives INNER_TENSORS as further outputs. Raises ModelError.

    Outputs that a run does not ask for cost it nothing.
    """
    try:
        return _session(path, with_outputs(file, INNER_TENSORS), intra_op_threads), True
    except ModelError:  # the graph has no such tensors, or the file is no model at all
        return _session(path, file, intra_op_threads), False


def _session(path: Path, file: bytes, intra_op_threads: int) -> Any:
    """An onnxruntime.InferenceSession of a model's bytes. Raises ModelError, naming `path`."""
    options = ort.SessionOptions()
    # Explicit counts: left at 0, onnxruntime takes every core of the host, whatever the container's share is.
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # The costlier optimizations make a graph of this kind no faster, and a session takes 33 KB less without them, which
    # counts where there are many models. Its own allocator it keeps: without it large batches tear the heap to pieces.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4  # what it would print is in the exception
    try:
        session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no narrower base
        raise ModelError(f"{path} is not a model that onnxruntime loads: {error}") from None
    # Kept in case that another provider must be tried, of which there is none: with many models it is memory.
    session._model_bytes = None
    return session


def _manifest(path: Path, session: Any) -> Manifest:
    try:
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    except UnicodeDecodeError:
        raise ModelError(f"{path} has metadata that are not UTF-8") from None
    if text is None:
        raise ModelError(f"{path} has no metadata {METADATA_KEY!r}: it was not made by `demur fit`")
    _check_size(path, text)
    stated = _parsed(path, text)
    written_for = stated.get("schema_version") if isinstance(stated, dict) else SCHEMA_VERSION
    if written_for != SCHEMA_VERSION:
        raise ModelError(
            f"{path} has a manifest of schema version {written_for}, and this service reads {SCHEMA_VERSION}: "
            "train it again with `demur fit`"
        )
    try:
        return Manifest.model_validate(stated)  # not the text: then each error would hold a copy of all that is in it
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ModelError(f"{path} has an invalid manifest: {where}: {first['msg']}") from None


def _check_size(path: Path, text: str) -> None:
    """Refuse a manifest that would be much in memory, before it is parsed: of two bytes, as `[]`, it makes fifty."""
    if len(text) > MAX_MANIFEST_CHARACTERS:
        raise ModelError(f"{path} has a manifest of {len(text)} characters: at most {MAX_MANIFEST_CHARACTERS} are read")
    values = sum(text.count(mark) for mark in "[{,")  # each begins a value, or stands in a text
    if values > MAX_MANIFEST_VALUES:
        raise ModelError(f"{path} has a manifest of {values} values: at most {MAX_MANIFEST_VALUES} are read")


def _parsed(path: Path, text: str) -> Any:
    """The manifest as JSON values. Refuses what is none, and objects with more fields than any has."""
    try:
        whole = from_json(text)
    except ValueError as error:
        raise ModelError(f"{path} has an invalid manifest: the whole: Invalid JSON: {error}") from None
    left = [whole]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if len(value) > MAX_FIELDS:
                raise ModelError(f"{path} has a manifest with an object of {len(value)} fields: at most {MAX_FIELDS}")
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(one for one in value if isinstance(one, dict | list))
    return whole


def _check_interface(path: Path, session: Any, manifest: Manifest, added: int) -> None:
    """Compare the graph's inputs and outputs, without the batch axis, with those that the manifest promises.

    The last `added` outputs are not the file's.
    """
    onnx_types = {"uint8": "tensor(uint8)", "float32": "tensor(float)", "int64": "tensor(int64)"}
    kind = manifest.input
    promised = [
        (kind.name, onnx_types[kind.dtype.name], list(kind.row_shape)),
        ("probabilities", "tensor(float)", [len(manifest.labels)]),
        ("confidence", "tensor(float)", []),
        ("ood_score", "tensor(float)", []),
    ]
    outputs = session.get_outputs()
    nodes = [*session.get_inputs(), *outputs[: len(outputs) - added]]
    found = [(node.name, node.type, node.shape[1:]) for node in nodes]
    if found != promised:
        raise ModelError(f"{path} does not have the inputs and outputs of its manifest: {found}, not {promised}")
