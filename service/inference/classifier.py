"""Loads a `model.onnx`, proves it on this machine, and turns inputs into scores.

The only module that uses onnxruntime. It knows nothing of HTTP, of policies or of the form of a request.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from service.contract.errors import ModelError
from service.contract.manifest import METADATA_KEY, Manifest
from service.inference.manifest_text import read_manifest
from service.inference.model_file import MAX_MODEL_BYTES, read_model, refers_elsewhere, sha256, with_outputs

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read on import; onnxruntime 1.29 and later send telemetry by default

import onnxruntime as ort

VERSION_DIGITS = 12
OUTPUTS = ("probabilities", "confidence", "ood_score")
# What a logit is made of: the names of the graph's inner tensors, as training/publishing/export.py gives them.
INNER_TENSORS = ("levels", "scaled_biases", "scaled_weights")
LIFT_TENSORS = ("coordinate_steps", "products", "product_unit", "mean", "axes")  # and of a lift
WHOLE_TENSORS = ("pixels", "scaled_biases", "logit_parts", "columns")  # where pixels are multiplied as whole numbers
WHOLE_LIFT_TENSORS = ("coordinate_steps", "products", "product_unit", "mean_parts")
# Inputs in one run: of more, the tensors would not stay in the processor's caches.
BLOCK = 128


class Scores(NamedTuple):
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


_Run = Callable[[Sequence[str], NDArray[Any]], list[NDArray[Any]]]  # names of tensors and a batch -> the tensors


@dataclass(frozen=True, slots=True)
class Classifier:
    """A model that has passed every check of `load`. Safe to share between threads."""

    manifest: Manifest
    path: Path  # where it was loaded from
    sha256: str  # of the file
    inner_tensors: tuple[str, ...]  # what a logit is made of, if the graph names it
    _run: "_Run"

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
        model = cls(manifest, path, digest, inner_tensors, _run_of(session, manifest.input.name))
        model._replay_golden_vectors(path)
        return model

    @property
    def version(self) -> str:
        """The first 12 hex digits of the file's SHA-256."""
        return self.sha256[:VERSION_DIGITS]

    def scores(self, inputs: NDArray[Any]) -> Scores:
        """Score a batch of inputs, `[N, *row_shape]` in the manifest's dtype (images: uint8 `[N, H, W]`)."""
        if len(inputs) <= BLOCK:
            return Scores._make(self._run(OUTPUTS, inputs))
        blocks = (inputs[start : start + BLOCK] for start in range(0, len(inputs), BLOCK))
        return Scores.joined(Scores._make(self._run(OUTPUTS, block)) for block in blocks)

    def tensors(self, names: Sequence[str], inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Outputs or inner tensors of the graph by name, for a batch of inputs as `scores` takes them."""
        return self._run(names, inputs)

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
    whole = WHOLE_TENSORS + WHOLE_LIFT_TENSORS, WHOLE_TENSORS
    for tensors in (*whole, INNER_TENSORS + LIFT_TENSORS, INNER_TENSORS):
        if not all(name.encode() in file for name in tensors):
            continue
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
    # Further optimizations make no graph faster, and a session 33 KB larger. The arena allocator stays on: without it,
    # large batches fragment the heap.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4  # the exception has the message
    try:
        session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no narrower base class
        raise ModelError(f"{path} is not a model that onnxruntime loads: {error}") from None
    # Kept by onnxruntime to retry with another provider. There is none, and with many models it is much memory.
    session._model_bytes = None
    return session


def _run_of(session: Any, name: str) -> _Run:
    """Calls the object beneath an InferenceSession, where it is there.

    Of the 20 us of a run, InferenceSession.run takes 1.7 to check its arguments, and 1.1 to make options each time.
    """
    run, options = getattr(session, "_sess", session).run, ort.RunOptions()
    return lambda names, inputs: run(names, {name: inputs}, options)


def _manifest(path: Path, session: Any) -> Manifest:
    try:
        text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    except UnicodeDecodeError:
        raise ModelError(f"{path} has metadata that is not UTF-8") from None
    if text is None:
        raise ModelError(f"{path} has no metadata {METADATA_KEY!r}: it was not made by `demur fit`")
    return read_manifest(path, text)


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
