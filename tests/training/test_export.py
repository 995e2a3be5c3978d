"""The file: a sound ONNX graph that any runtime reads, and that computes what torch computes."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import numpy_helper

from service.manifest import METADATA_KEY, ImageInput, Manifest
from tests import tiny
from training import image_input
from training.export import to_onnx
from training.regression import SoftmaxRegression

CONTENT = to_onnx(tiny.MODEL, tiny.manifest())
PROTO = onnx.load_from_string(CONTENT)


def test_file_is_sound_and_old_enough_for_old_runtimes() -> None:
    onnx.checker.check_model(PROTO, full_check=True)
    assert PROTO.ir_version == 7
    assert [(entry.domain, entry.version) for entry in PROTO.opset_import] == [("", 13)]


def test_graph_reads_from_pixels_to_confidence() -> None:
    assert [node.op_type for node in PROTO.graph.node] == [
        "Flatten",
        "Cast",
        "Cast",
        "Div",
        "Cast",
        "Gemm",
        "Softmax",
        "Cast",
        "ReduceMax",
    ]


def test_weights_stand_in_the_file_as_they_were_trained() -> None:
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in PROTO.graph.initializer}
    np.testing.assert_array_equal(stored["weights"], tiny.MODEL.weights.numpy())
    np.testing.assert_array_equal(stored["biases"], tiny.MODEL.biases.numpy())
    assert stored["weights"].dtype == stored["biases"].dtype == np.float32


def test_manifest_stands_in_the_file_alone() -> None:
    (entry,) = PROTO.metadata_props
    assert entry.key == METADATA_KEY
    assert Manifest.model_validate_json(entry.value) == tiny.manifest()


def test_same_model_gives_the_same_bytes() -> None:
    assert to_onnx(tiny.MODEL, tiny.manifest()) == CONTENT


def _session(model: SoftmaxRegression, manifest: Manifest) -> ort.InferenceSession:
    return ort.InferenceSession(to_onnx(model, manifest), providers=["CPUExecutionProvider"])


def test_interface_is_the_contracts() -> None:
    session = _session(tiny.MODEL, tiny.manifest())
    found = [(node.name, node.type, node.shape) for node in [*session.get_inputs(), *session.get_outputs()]]
    assert found == [
        ("images", "tensor(uint8)", ["N", 1, 2]),
        ("probabilities", "tensor(float)", ["N", 3]),
        ("confidence", "tensor(float)", ["N"]),
    ]


@pytest.mark.parametrize(("spread", "tolerance"), [(0.01, 1e-7), (0.3, 1e-7), (3.0, 1e-7), (100.0, 1e-7)])
def test_graph_computes_what_torch_computes(spread: float, tolerance: float) -> None:
    generator = torch.Generator().manual_seed(0)
    model = SoftmaxRegression(
        torch.normal(0.0, spread, (784, 10), generator=generator), torch.normal(0.0, 1.0, (10,), generator=generator)
    )
    manifest = tiny.manifest().model_copy(update={"input": ImageInput(height=28, width=28)})
    images = torch.randint(0, 256, (500, 28, 28), generator=generator, dtype=torch.uint8).numpy()
    session = _session(model, manifest)
    probabilities, confidence = session.run(None, {"images": images})

    expected = model.to(dtype=torch.float64).probabilities(image_input.features(images, torch.float64)).numpy()
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), expected.argmax(axis=1))
    np.testing.assert_array_equal(confidence, probabilities.max(axis=1))
    for size in (1, 7, 256):
        parts = [session.run(None, {"images": images[i : i + size]})[0] for i in range(0, 500, size)]
        np.testing.assert_allclose(np.concatenate(parts), probabilities, atol=1e-7)


def test_features_are_the_pixels_row_by_row_from_0_to_1() -> None:
    images = np.array([[[0, 51], [102, 255]]], dtype=np.uint8)
    torch.testing.assert_close(image_input.features(images), torch.tensor([[0.0, 0.2, 0.4, 1.0]]))
    assert image_input.describe(images) == ImageInput(height=2, width=2)
