"""The reader of each kind, and the content types that it supports."""

from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.contract.inputs import FeaturesInput, ImageInput, Input
from service.inference.readers.features import FeatureReader
from service.inference.readers.images import ImageReader
from service.inference.readers.reader import reader_for
from service.settings import Settings
from tests import tiny, tiny_features
from tests.service.canon import assert_problem

IMAGE_TYPES = (
    "application/json, image/png, image/jpeg, image/webp, image/gif, image/bmp, image/tiff, image/avif, "
    "image/x-portable-anymap, image/*, multipart/form-data, application/octet-stream, application/x-npy"
)
FEATURE_TYPES = "application/json, application/octet-stream, application/x-npy"


@pytest.mark.parametrize(
    ("kind", "reader"),
    [
        (ImageInput(height=2, width=2), ImageReader),
        (ImageInput(height=2, width=2, channels=3), ImageReader),
        (FeaturesInput(width=2), FeatureReader),
        (tiny_features.table(), FeatureReader),
    ],
)
def test_every_kind_has_its_reader(kind: Input, reader: type) -> None:
    assert isinstance(reader_for(kind, Settings().read_limits), reader)


@pytest.mark.parametrize(
    ("write", "supported"),
    [
        (tiny.write, IMAGE_TYPES),
        (tiny_features.write_table, FEATURE_TYPES),
        (tiny_features.write_embedding, FEATURE_TYPES),
    ],
)
@pytest.mark.parametrize("content_type", ["text/csv", "image/heic", "application/x-npz", "image/PNG2"])
def test_unsupported_content_type_names_the_supported_ones(
    tmp_path: Path, write: Callable[[Path], Path], supported: str, content_type: str
) -> None:
    with TestClient(create_app(Settings(model_path=write(tmp_path)))) as client:
        answer = client.post("/predict", content=b"x", headers={"content-type": content_type})
        assert_problem(answer, 415, f"content type {content_type.lower()} is not supported: use one of {supported}")
        assert_problem(
            client.post("/predict", content=b"x"),
            415,
            f"without a content type is not supported: use one of {supported}",
        )


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "image/webp"])
def test_model_of_rows_refuses_pictures(tmp_path: Path, content_type: str) -> None:
    with TestClient(create_app(Settings(model_path=tiny_features.write_table(tmp_path)))) as client:
        answer = client.post("/predict", content=b"x", headers={"content-type": content_type})
        assert_problem(answer, 415, f"content type {content_type} is not supported: use one of {FEATURE_TYPES}")
