"""The file: a valid ONNX graph that any runtime reads, with the same results as torch."""

import dataclasses

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import numpy_helper

from service.contract.inputs import ImageInput
from service.contract.manifest import METADATA_KEY, Manifest
from service.inference.decision import top_k
from tests import lifted, tiny, tiny_features
from training.certification.principal_components import PrincipalComponents
from training.data.encoders import ImageEncoder
from training.fitting.regression import SoftmaxRegression
from training.publishing.export import to_onnx
from training.publishing.model import Model

CONTENT = to_onnx(tiny.MODEL, tiny.manifest())
PROTO = onnx.load_from_string(CONTENT)


def test_file_is_valid_and_supports_old_runtimes() -> None:
    onnx.checker.check_model(PROTO, full_check=True)
    assert PROTO.ir_version == 7
    assert [(entry.domain, entry.version) for entry in PROTO.opset_import] == [("", 13)]


GATE = ["Gemm", "Mul", "Gemm", "Gemm", "Gemm", "Div", "ReduceMax", "Cast"]
CLASSIFICATION = ["Softmax", "Cast", "ReduceMax"]
WHOLE_NUMBERS = ["Flatten", "MatMulInteger", "Cast", "Cast", "ReduceSumSquare", "Cast", "Gemm"]


def test_graph_goes_from_pixels_to_confidence_and_ood_score() -> None:
    """The first nodes, and others beside them, are of constants: a runtime computes them when it loads the file."""
    assert _operators(PROTO) == [
        *["Cast", "Div"],
        *["Flatten", "Cast", "ReduceSumSquare", "Gemm", "Cast", "Div", "Gemm", "Mul"],
        *[*GATE, *CLASSIFICATION],
    ]
    pictures = lifted.pictures(200)
    model = lifted.model(lifted.PICTURES, pictures, 16)
    linear = dataclasses.replace(model, regression=dataclasses.replace(model.regression, products=None, lift=None))
    proto = onnx.load_from_string(to_onnx(linear, tiny_features.manifest(linear, pictures[:4])))
    assert _operators(proto) == ["Cast", "Div", *WHOLE_NUMBERS, "Gemm", *GATE, *CLASSIFICATION]


def _operators(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def test_file_holds_the_trained_weights() -> None:
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in PROTO.graph.initializer}
    np.testing.assert_array_equal(stored["weights"], tiny.REGRESSION.weights.numpy())
    np.testing.assert_array_equal(stored["biases"], tiny.REGRESSION.biases.numpy())
    assert stored["weights"].dtype == stored["biases"].dtype == np.float32


def test_manifest_is_the_only_metadata() -> None:
    (entry,) = PROTO.metadata_props
    assert entry.key == METADATA_KEY
    assert Manifest.model_validate_json(entry.value) == tiny.manifest()


def test_same_model_gives_the_same_bytes() -> None:
    assert to_onnx(tiny.MODEL, tiny.manifest()) == CONTENT


def _session(model: Model, manifest: Manifest) -> ort.InferenceSession:
    return ort.InferenceSession(to_onnx(model, manifest), providers=["CPUExecutionProvider"])


def test_inputs_and_outputs_match_the_contract() -> None:
    session = _session(tiny.MODEL, tiny.manifest())
    tensors = [(node.name, node.type, node.shape) for node in [*session.get_inputs(), *session.get_outputs()]]
    assert tensors == [
        ("images", "tensor(uint8)", ["N", 1, 2]),
        ("probabilities", "tensor(float)", ["N", 3]),
        ("confidence", "tensor(float)", ["N"]),
        ("ood_score", "tensor(float)", ["N"]),
    ]


@pytest.mark.parametrize(
    ("spread", "temperature", "levels"),
    [(0.01, 1.0, 255), (0.3, 1.0, 255), (0.3, 0.25, None), (3.0, 3.0, 255), (100.0, 0.25, 255)],
)
def test_graph_agrees_with_torch(spread: float, temperature: float, levels: int | None) -> None:
    generator = torch.Generator().manual_seed(0)
    regression = SoftmaxRegression(
        torch.normal(0.0, spread, (784, 10), generator=generator), torch.normal(0.0, 1.0, (10,), generator=generator)
    )
    training = torch.randint(0, 256, (1000, 28, 28), generator=generator, dtype=torch.uint8).numpy()
    encoder = ImageEncoder(ImageInput(height=28, width=28))
    components = PrincipalComponents.fit([encoder.features(training)], levels)
    assert components.rounded == (levels is not None)
    model = Model(encoder, regression, temperature, components)
    manifest = tiny.manifest().model_copy(update={"input": encoder.kind})
    images = torch.randint(0, 256, (500, 28, 28), generator=generator, dtype=torch.uint8).numpy()
    session = _session(model, manifest)
    probabilities, confidence, ood_score = session.run(None, {"images": images})

    expected = model.probabilities(images)
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(ood_score, model.ood_score(images), rtol=1e-7)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), expected.argmax(axis=1))
    np.testing.assert_array_equal(confidence, probabilities.max(axis=1))
    for size in (1, 7, 256):
        parts = [session.run(None, {"images": images[i : i + size]}) for i in range(0, 500, size)]
        np.testing.assert_allclose(np.concatenate([part[0] for part in parts]), probabilities, atol=1e-7)
        np.testing.assert_allclose(np.concatenate([part[2] for part in parts]), ood_score, rtol=1e-7)


def test_temperature_changes_no_ranking() -> None:
    """Folded into the weights or not, it changes only the confidence."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (10_000, 1, 2), generator=generator, dtype=torch.uint8).numpy()
    plain, warm = (
        _session(dataclasses.replace(tiny.MODEL, temperature=t), tiny.manifest()).run(None, {"images": images})[0]
        for t in (1.0, 2.5)
    )
    np.testing.assert_array_equal(top_k(plain, 3), top_k(warm, 3))
    features = tiny.ENCODER.features(images, torch.float64)
    unfolded = torch.softmax(tiny.REGRESSION.to(dtype=torch.float64).logits(features) / 2.5, dim=1).numpy()
    np.testing.assert_allclose(warm, unfolded, rtol=0, atol=1e-7)
    assert (warm.max(axis=1) <= plain.max(axis=1) + 1e-7).all()


def test_features_are_the_pixels_row_by_row_from_0_to_1() -> None:
    images = np.array([[[0, 51], [102, 255]]], dtype=np.uint8)
    encoder = ImageEncoder(ImageInput(height=2, width=2))
    torch.testing.assert_close(encoder.features(images), torch.tensor([[0.0, 0.2, 0.4, 1.0]]))
    assert encoder.width == 4
