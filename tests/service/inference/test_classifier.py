"""Only a proved model is served: what `Classifier.load` accepts and refuses."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from service.contract.errors import ModelError
from service.contract.manifest import METADATA_KEY
from service.inference.classifier import BLOCK, Classifier
from service.inference.manifest_text import MAX_MANIFEST_VALUES
from tests import lifted, tiny
from training.publishing.export import to_onnx

Edit = Callable[[onnx.ModelProto], None]


def _edited(folder: Path, edit: Edit) -> Path:
    """The tiny model with something changed in the parsed file."""
    proto = onnx.load(tiny.write(folder))
    edit(proto)
    path = folder / "edited.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def _with_manifest(change: Callable[[dict[str, Any]], None]) -> Edit:
    def edit(proto: onnx.ModelProto) -> None:
        (entry,) = proto.metadata_props
        manifest = json.loads(entry.value)
        change(manifest)
        entry.value = json.dumps(manifest)

    return edit


def _set_weight(value: float) -> Edit:
    def edit(proto: onnx.ModelProto) -> None:
        (tensor,) = (tensor for tensor in proto.graph.initializer if tensor.name == "weights")
        weights = numpy_helper.to_array(tensor).copy()
        weights[0, 0] = value
        tensor.CopyFrom(numpy_helper.from_array(weights, "weights"))

    return edit


def _rename_output(proto: onnx.ModelProto) -> None:
    for node in proto.graph.node:
        node.output[:] = ["sureness" if name == "confidence" else name for name in node.output]
    proto.graph.output[1].name = "sureness"


def _without_metadata(proto: onnx.ModelProto) -> None:
    del proto.metadata_props[:]


def _manifest_no_json(proto: onnx.ModelProto) -> None:
    proto.metadata_props[0].value = "{"


def _declare_inner_tensor(proto: onnx.ModelProto) -> None:
    proto.graph.output.add(name="levels")


def test_load_gives_version_and_manifest(tiny_model: Path) -> None:
    model = Classifier.load(tiny_model)
    assert model.version == hashlib.sha256(tiny_model.read_bytes()).hexdigest()[:12]
    assert model.manifest == tiny.manifest()


@pytest.mark.parametrize("size", [1, 3, 4])
def test_scores_are_those_worked_out_by_hand(tiny_model: Path, size: int) -> None:
    scores = Classifier.load(tiny_model).scores(tiny.IMAGES[:size])
    assert scores.probabilities.dtype == scores.confidence.dtype == np.float32
    np.testing.assert_allclose(scores.probabilities, tiny.PROBABILITIES[:size], atol=1e-7)
    np.testing.assert_array_equal(scores.confidence, scores.probabilities.max(axis=1))


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_scores_in_blocks_are_those_of_onnxruntime(tmp_path: Path, size: int) -> None:
    path, inputs = lifted.write(tmp_path), lifted.pictures(size)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(["probabilities", "confidence", "ood_score"], {"images": inputs})
    for scores, output in zip(Classifier.load(path).scores(inputs), expected, strict=True):
        np.testing.assert_array_equal(scores, output)


def test_onnxruntime_has_the_object_that_is_called(tiny_model: Path) -> None:
    """Without it a run takes 3 us more."""
    assert ort.InferenceSession(tiny_model, providers=["CPUExecutionProvider"])._sess.run


def test_scores_are_the_same_from_many_threads(tiny_model: Path) -> None:
    model = Classifier.load(tiny_model)
    expected = model.scores(tiny.IMAGES).probabilities
    with ThreadPoolExecutor(8) as pool:
        for scores in pool.map(lambda _: model.scores(tiny.IMAGES), range(200)):
            np.testing.assert_array_equal(scores.probabilities, expected)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read the model .*nothing\.onnx: No such file"):
        Classifier.load(tmp_path / "nothing.onnx")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read the model .*: Is a directory"):
        Classifier.load(tmp_path)


def test_file_at_and_over_the_size_limit(tiny_model: Path) -> None:
    size = tiny_model.stat().st_size
    Classifier.load(tiny_model, max_bytes=size)
    with pytest.raises(ModelError, match=f"larger than the limit of {size - 1} bytes"):
        Classifier.load(tiny_model, max_bytes=size - 1)


@pytest.mark.parametrize("content", [b"garbage", b"\x00" * 100], ids=["text", "zeros"])
def test_file_that_is_not_a_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not a model that onnxruntime loads"):
        Classifier.load(path)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.99])
def test_truncated_file(tmp_path: Path, tiny_model: Path, share: float) -> None:
    content = tiny_model.read_bytes()
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ModelError):
        Classifier.load(path)


def _manifest_text(text: str) -> Edit:
    def edit(proto: onnx.ModelProto) -> None:
        (entry,) = proto.metadata_props
        entry.value = text

    return edit


REFUSED: dict[str, tuple[Edit, str]] = {
    "manifest of millions of values": (
        _manifest_text('{"schema_version": 6, "labels": [' + "[]," * MAX_MANIFEST_VALUES + "[]]}"),
        "has a manifest of 8200004 values: at most 4100000 are read",
    ),
    "manifest of thousands of fields": (
        _manifest_text("{" + ", ".join(f'"{i}": 1' for i in range(1000)) + "}"),
        "has a manifest with an object of 1000 fields: at most 256",
    ),
    "manifest that is deep": (_manifest_text("[" * 100_000), "invalid manifest: the document: Invalid JSON: recursion"),
    "manifest that is a number": (_manifest_text("4"), "invalid manifest: the document: Input should be a valid dict"),
    "reference of too many": (
        _with_manifest(lambda m: m["reference"].update(size=10**12)),
        "invalid manifest: reference: .* size is 1000000000000: at most 500000000 inputs",
    ),
    "no manifest": (_without_metadata, f"no metadata '{METADATA_KEY}'"),
    "manifest that is no JSON": (_manifest_no_json, "invalid manifest: the document: Invalid JSON"),
    "unknown field": (_with_manifest(lambda m: m.update(extra=1)), "invalid manifest: extra: Extra inputs"),
    "another schema": (
        _with_manifest(lambda m: m.update(schema_version=1)),
        "a manifest of schema version 1; this service reads version 6: train the model again with `demur fit`",
    ),
    "no schema": (_with_manifest(lambda m: m.pop("schema_version")), "a manifest of schema version None"),
    "other golden ood_scores": (
        _with_manifest(lambda m: m["golden"]["ood_scores"].__setitem__(3, 4.001)),
        r"does not reproduce its golden vectors on this machine: .* relative in an ood_score 0.00025",
    ),
    "another size": (_with_manifest(lambda m: m["input"].update(height=2, width=1)), "inputs and outputs of its"),
    "other golden probabilities": (
        _with_manifest(lambda m: m["golden"]["probabilities"][0].__setitem__(0, 0.3334)),
        "does not reproduce its golden vectors on this machine: largest difference in a probability 6.67e-05",
    ),
    "another weight": (_set_weight(0.01), "does not reproduce its golden vectors"),
    "a weight that is no number": (_set_weight(float("nan")), "does not reproduce its golden vectors"),
    "inner tensor as an output": (_declare_inner_tensor, "does not have the inputs and outputs of its manifest"),
    "another output": (_rename_output, "does not have the inputs and outputs of its manifest"),
}


@pytest.mark.parametrize(("edit", "message"), REFUSED.values(), ids=REFUSED)
def test_model_that_contradicts_itself(tmp_path: Path, edit: Edit, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Classifier.load(_edited(tmp_path, edit))


def _with_external_data(folder: Path, location: str) -> Path:
    def edit(proto: onnx.ModelProto) -> None:
        tensor = proto.graph.initializer[0]
        (folder / "side.bin").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return _edited(folder, edit)


@pytest.mark.parametrize("location", ["side.bin", "/etc/hostname", "../side.bin"])
def test_external_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    # Beside the file and in the working directory, where onnxruntime itself would find it.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="refers to external data"):
        Classifier.load(_with_external_data(tmp_path, location))


def test_external_data_behind_a_padded_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same reference with its key's length written in two bytes, as protobuf allows."""
    monkeypatch.chdir(tmp_path)
    path = _with_external_data(tmp_path, "side.bin")
    plain, padded = b"\x0a\x08location", b"\x0a\x88\x00location"
    content = path.read_bytes()
    start = content.index(plain)
    # The entry around it, the tensor around that and the graph around that grow by the byte; only the refusal
    # before parsing is shown here, so their lengths may stay.
    path.write_bytes(content[:start] + padded + content[start + len(plain) :])
    with pytest.raises(ModelError, match="refers to external data"):
        Classifier.load(path)


def test_label_called_location_is_not_external_data(tmp_path: Path) -> None:
    manifest = tiny.manifest().model_copy(update={"labels": ["location", "\tlocation", "right"]})
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, manifest))
    assert Classifier.load(path).manifest.labels[0] == "location"


def test_telemetry_is_off_before_onnxruntime_is_imported() -> None:
    code = (
        "import builtins, os\n"
        "real, seen = builtins.__import__, []\n"
        "def watch(name, *rest):\n"
        "    if name.startswith('onnxruntime'): seen.append(os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = watch\n"
        "import service.inference.classifier\n"
        "assert seen and set(seen) == {'1'}, seen\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=Path(__file__).parents[3])


def test_graph_with_another_input_type(tmp_path: Path) -> None:
    def edit(proto: onnx.ModelProto) -> None:
        kind = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 1, 2])
        proto.graph.input[0].CopyFrom(kind)

    with pytest.raises(ModelError, match=r"tensor\(float\)"):
        Classifier.load(_edited(tmp_path, edit))
