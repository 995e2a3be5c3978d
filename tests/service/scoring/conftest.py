"""Tiny models to score with: of embeddings of two numbers, and of a table."""

from pathlib import Path

import pytest

from tests import tiny_features


@pytest.fixture(scope="session")
def embedding_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_features.write_embedding(tmp_path_factory.mktemp("embedding"))


@pytest.fixture(scope="session")
def gaps_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_features.write_embedding(tmp_path_factory.mktemp("gaps"), "mean")


@pytest.fixture(scope="session")
def table_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_features.write_table(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="session")
def table_gaps_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_features.write_table(tmp_path_factory.mktemp("table_gaps"), "mean")
