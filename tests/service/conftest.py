"""The application with tiny models of rows."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests import tiny_features as tiny


def _client(model: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(model_path=model, max_batch_size=4))) as client:
        yield client


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A table without missing values."""
    yield from _client(tiny.write_table(tmp_path_factory.mktemp("table")))


@pytest.fixture(scope="session")
def gaps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A table that allows missing values."""
    yield from _client(tiny.write_table(tmp_path_factory.mktemp("gaps"), "mean"))


@pytest.fixture(scope="session")
def embedding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Embeddings without missing values."""
    yield from _client(tiny.write_embedding(tmp_path_factory.mktemp("embedding")))


@pytest.fixture(scope="session")
def embedding_gaps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Embeddings that allow missing values."""
    yield from _client(tiny.write_embedding(tmp_path_factory.mktemp("embedding_gaps"), "mean"))
