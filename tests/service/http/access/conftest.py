"""A file of API keys, and the application that asks for them."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from service.app import create_app
from service.settings import Settings
from tests.service.http.access.made_keys import MADE


@pytest.fixture(scope="package")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text("".join(f"{key.line()}\n" for name, (_, key) in MADE.items() if name != "unknown"))
    return path


@pytest.fixture
def app(tiny_model: Path, file: Path) -> FastAPI:
    return create_app(Settings(model_path=tiny_model, api_keys=file))
