"""Pixels times whole numbers: without an error, in batches of any size, on any processor."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from service.contract.inputs import ImageInput
from service.inference.model_file import with_outputs
from tests import lifted, tiny, tiny_features, tiny_tokens
from training.data.encoders import ImageEncoder
from training.publishing.export import to_onnx
from training.publishing.whole_numbers import DIGITS, WholeNumbers, digits

PICTURES = lifted.pictures(1000)
MODEL = lifted.model(lifted.PICTURES, PICTURES, 8)


def test_digits_hold_more_than_float32_does() -> None:
    random = np.random.default_rng(0)
    scales = np.array([2.0**-100, 1, 2.0**20, 0])
    weights = (random.normal(size=(5000, 4)) * scales).astype(np.float32).astype(np.float64)
    weights[:2] = np.array([[8, -8, 8, 0], [-8, 8, -8, 0]]) * scales  # the largest of all
    columns, values = digits(weights)
    assert columns.shape == (5000, 4 * DIGITS)
    assert (np.abs(columns @ values - weights) <= 16 * scales * 2.0**-34).all()
    assert np.abs(columns[:, [3, 7, 11, 15, 19]]).max() == 0


def test_products_are_exact_in_every_batch() -> None:
    """Also of black and white, and of the pictures with the largest products."""
    whole = WholeNumbers.of(MODEL, MODEL.components)
    assert whole is not None
    columns = whole.columns.astype(np.int64)
    assert np.abs(columns).max() == 64  # two products are less than 2^15
    extreme = np.where(columns.T > 0, 255, 0).astype(np.uint8).reshape(-1, 12, 12)
    pictures = np.concatenate([PICTURES[:200], extreme, 255 - extreme])
    content = with_outputs(to_onnx(MODEL, tiny_features.manifest(MODEL, PICTURES[:4])), ["whole_numbers", "energies"])
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    flat = pictures.reshape(len(pictures), -1).astype(np.int64)
    for size in (1, 7, 64, 1000):
        parts = [
            session.run(["whole_numbers", "energies"], {"images": pictures[start : start + size]})
            for start in range(0, len(pictures), size)
        ]
        np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), flat @ columns)
        np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]).sum(axis=1), (flat**2).sum(axis=1))


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3), (2, 400), (1, 784)])
def test_energies_of_any_shape_are_exact(shape: tuple[int, ...]) -> None:
    whole = WholeNumbers(np.ones((int(np.prod(shape)), 1), np.int8), np.ones(1), np.ones((1, 1)), np.ones((1, 1)))
    nodes, constants = whole.graph_part("images", shape)
    graph = helper.make_graph(
        nodes,
        "energies",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", *shape])],
        [helper.make_tensor_value_info("energies", TensorProto.DOUBLE, ["N", "R"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    proto = helper.make_model(graph, ir_version=7, opset_imports=[helper.make_opsetid("", 13)])
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    pictures = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    pictures[0] = 255
    (energies,) = session.run(None, {"images": pictures})
    np.testing.assert_array_equal(energies.sum(axis=1), (pictures.reshape(5, -1).astype(np.int64) ** 2).sum(axis=1))


def test_other_models_have_no_whole_numbers() -> None:
    tokens = lifted.model(tiny_tokens.ENCODER, tiny_tokens.TOKENS, 2)
    few_pixels = ImageEncoder(ImageInput(height=4, width=4))
    small = lifted.model(few_pixels, PICTURES[:, :4, :4], 2)
    many_classes = lifted.model(lifted.PICTURES, PICTURES, 2, classes=30)
    for model in (tiny.MODEL, tokens, small, many_classes):
        assert WholeNumbers.of(model, model.components) is None
