"""Rows of numbers become the same features in torch and in the graph."""

import warnings
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from service.contract.inputs import Column, FeaturesInput
from training.data.encoders import FeatureEncoder
from training.data.encoders.encoder import Encoder, graph_input

RNG = np.random.default_rng(0)
TABLE = FeaturesInput(
    width=4,
    columns=[
        Column(name="age"),
        Column(name="town", categories=["a", "b", "c"]),
        Column(name="weight"),
        Column(name="alive", categories=["no", "yes"]),
    ],
    missing="mean",
)


def _rows(count: int = 500) -> np.ndarray:
    rows = np.stack(
        [RNG.normal(40, 10, count), RNG.integers(0, 3, count), RNG.normal(7e4, 1e3, count), RNG.integers(0, 2, count)],
        axis=1,
    ).astype(np.float32)
    rows[::7, 0] = np.nan
    rows[::11, 1] = -1
    return rows


def _graph(encoder: Encoder) -> Any:
    """A session of the encoder's part of the graph alone."""
    part = encoder.graph_part("levels")
    output = helper.make_tensor_value_info("levels", TensorProto.DOUBLE, ["N", encoder.width])
    constants = [numpy_helper.from_array(value, name) for name, value in part.constants.items()]
    graph = helper.make_graph(part.nodes, "part", [graph_input(encoder.kind)], [output], constants)
    proto = helper.make_model(graph, ir_version=7, opset_imports=[helper.make_opsetid("", 13)])
    onnx.checker.check_model(proto, full_check=True)
    return ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (TABLE, _rows()),
        (FeaturesInput(width=6), RNG.normal(3, 2, (200, 6)).astype(np.float32)),
        (FeaturesInput(width=1, columns=[Column(name="only")]), RNG.normal(size=(20, 1)).astype(np.float32)),
        (TABLE.model_copy(update={"missing": "refuse"}), np.nan_to_num(_rows(), nan=1.0)),
    ],
    ids=["table", "embedding", "one column", "nothing missing"],
)
def test_graph_agrees_with_torch(kind: FeaturesInput, rows: np.ndarray) -> None:
    encoder = FeatureEncoder.fit(kind, [rows])
    (features,) = _graph(encoder).run(None, {"features": rows})
    expected = encoder.features(rows, torch.float64).numpy()
    np.testing.assert_allclose(features, expected, rtol=1e-12, atol=1e-12)
    assert features.shape == (len(rows), encoder.width)
    np.testing.assert_allclose(encoder.features(rows).numpy(), expected, rtol=2e-7, atol=0)


def test_numbers_are_standardised_and_categories_expanded() -> None:
    rows = _rows()
    features = FeatureEncoder.fit(TABLE, [rows]).features(rows, torch.float64).numpy()
    assert features.shape == (500, 2 + 3 + 2)
    present = ~np.isnan(rows[:, 0])
    np.testing.assert_allclose(features[present, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(features[present, 0].std(), 1, rtol=1e-6)
    np.testing.assert_array_equal(features[~present, 0], 0)  # the mean of the training rows
    np.testing.assert_array_equal(features[:, 2:5].sum(axis=1), rows[:, 1] >= 0)  # an unknown town gets no category
    np.testing.assert_array_equal(features[:, 5:].argmax(axis=1), rows[:, 3])


def test_common_deviation_is_the_root_of_the_mean_variance() -> None:
    rows = np.array([[0, 7, 1], [6, 7, 3]], dtype=np.float32)  # variances 9, 0 and 1
    encoder = FeatureEncoder.fit(FeaturesInput(width=3), [rows], "common")
    np.testing.assert_allclose(encoder.deviation, np.sqrt(10 / 3), rtol=1e-7)
    (features,) = _graph(encoder).run(None, {"features": rows})
    np.testing.assert_allclose(features, encoder.features(rows, torch.float64).numpy(), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 7, 64, 500])
def test_mean_and_deviation_by_blocks_equal_those_of_all_rows(size: int) -> None:
    rows = _rows()
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    encoder = FeatureEncoder.fit(TABLE, blocks)
    wide = rows[:, [0, 2]].astype(np.float64)
    np.testing.assert_array_equal(encoder.mean, np.nanmean(wide, axis=0).astype(np.float32))
    np.testing.assert_array_equal(encoder.deviation, np.nanstd(wide, axis=0).astype(np.float32))


def test_small_spread_about_a_large_mean_is_not_lost() -> None:
    rows = (1e6 + RNG.integers(0, 2, (10_000, 1))).astype(np.float32)
    encoder = FeatureEncoder.fit(FeaturesInput(width=1), np.array_split(rows, 13))
    np.testing.assert_allclose(encoder.deviation, rows.astype(np.float64).std(axis=0), rtol=1e-6)


@pytest.mark.parametrize(("middle", "spread"), [(1e6, 1), (-3e7, 2), (0, 1e-30), (1e-3, 1e-9), (2e38, 1e37)])
def test_float32_features_are_rounded_float64_features(middle: float, spread: float) -> None:
    rows = (middle + spread * RNG.normal(size=(1000, 3))).astype(np.float32)
    encoder = FeatureEncoder.fit(FeaturesInput(width=3), [rows])
    wide = encoder.features(rows, torch.float64).numpy()
    np.testing.assert_allclose(encoder.features(rows).numpy(), wide, rtol=2e-7, atol=0)
    assert wide.std() == pytest.approx(1, rel=1e-3)


def test_numbers_at_the_ends_of_float32_stay_finite() -> None:
    limits = np.finfo(np.float32)
    rows = np.array([[limits.max, 0], [limits.max, limits.smallest_subnormal], [limits.min, 0]], dtype=np.float32)
    encoder = FeatureEncoder.fit(FeaturesInput(width=2), [rows])
    assert torch.isfinite(encoder.features(rows)).all()
    assert (encoder.deviation > 0).all()


def test_constant_and_missing_columns() -> None:
    rows = np.array([[5, np.nan], [5, np.nan]], dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder = FeatureEncoder.fit(FeaturesInput(width=2, missing="mean"), [rows])
        features = encoder.features(rows)
    assert encoder.deviation.tolist() == [1, 1]
    assert features.tolist() == [[0, 0], [0, 0]]
