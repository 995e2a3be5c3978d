"""The configuration of deploy/triton, read with Triton's own protobuf message."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest

from deploy.triton.layout import config, lay_out
from service.inference.classifier import Classifier
from tests import tiny, tiny_features, tiny_tokens
from tests.clients.asking import PYTHON

pytestmark = pytest.mark.clients

_ELEMENTS = {"tensor(uint8)": "TYPE_UINT8", "tensor(float)": "TYPE_FP32", "tensor(int64)": "TYPE_INT64"}


def _read(path: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(PYTHON), str(Path(__file__).parent / "configuration.py"), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _parsed(path: Path) -> dict[str, Any]:
    result = _read(path)
    assert result.returncode == 0, result.stderr
    configuration: dict[str, Any] = json.loads(result.stdout)
    return configuration


@pytest.mark.parametrize(
    "write", [tiny.write, tiny_features.write_table, tiny_features.write_embedding, tiny_tokens.write]
)
def test_tensors_are_those_of_the_graph(write: Callable[[Path], Path], tmp_path: Path) -> None:
    model = write(tmp_path)
    configuration = _parsed(lay_out(model, tmp_path / "models", name="m-1.x") / "config.pbtxt")
    assert (configuration["name"], configuration["backend"]) == ("m-1.x", "onnxruntime")
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    for configured, graph in (
        (configuration["input"], session.get_inputs()),
        (configuration["output"], session.get_outputs()),
    ):
        assert [tensor["name"] for tensor in configured] == [tensor.name for tensor in graph]
        for tensor, node in zip(configured, graph, strict=True):
            assert tensor["data_type"] == _ELEMENTS[node.type]
            shape = tensor["dims"] if "reshape" not in tensor else tensor["reshape"].get("shape", [])
            assert [int(size) for size in shape] == node.shape[1:]  # the batch dimension comes first
            assert isinstance(node.shape[0], str)  # free, as max_batch_size requires
    assert configuration["max_batch_size"] == 1024
    (labelled,) = (output for output in configuration["output"] if "label_filename" in output)
    assert (labelled["name"], labelled["label_filename"]) == ("probabilities", "labels.txt")


def test_configuration_has_the_exact_thresholds(tiny_model: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(tiny_model)
    parameters = _parsed(lay_out(tiny_model, tmp_path) / "config.pbtxt")["parameters"]
    assert parameters["demur.version"]["string_value"] == classifier.version
    assert classifier.manifest.abstention is not None
    abstention = json.loads(parameters["demur.abstention"]["string_value"])
    assert abstention == classifier.manifest.abstention.model_dump(mode="json")
    name = 'a "b" \\ \n ä'
    (tmp_path / "odd.pbtxt").write_text(config(classifier.manifest, "0", name, 8))
    assert _parsed(tmp_path / "odd.pbtxt")["name"] == name


def test_mistake_is_found(tiny_model: Path, tmp_path: Path) -> None:
    text = (lay_out(tiny_model, tmp_path) / "config.pbtxt").read_text()
    for right, wrong in (("TYPE_UINT8", "UINT8"), ("max_batch_size", "max_batch"), ("label_filename", "labels")):
        (tmp_path / "wrong.pbtxt").write_text(text.replace(right, wrong))
        assert "ParseError" in _read(tmp_path / "wrong.pbtxt").stderr
