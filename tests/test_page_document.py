"""The commands and figures of `docs/page.md` are right."""

import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.app import create_app
from service.inference.model_inputs import MAX_PREPROCESSED
from service.settings import Settings

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "page.md").read_text()
COMMANDS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[0].splitlines()


@pytest.fixture(scope="module")
def client(trained_model: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(model_path=trained_model))) as client:
        yield client


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def test_inputs_are_the_pixels_of_the_picture(client: TestClient) -> None:
    _, _, url, _, data, _, header = shlex.split(COMMANDS[0])
    content = (ROOT / data.removeprefix("@")).read_bytes()
    name, _, value = header.partition(": ")
    body = client.post(_target(url), content=content, headers={name: value}).json()
    np.testing.assert_array_equal(body["inputs"], [np.asarray(Image.open(io.BytesIO(content)))])


def test_samples_are_a_valid_body_for_predict(client: TestClient) -> None:
    get, post = (shlex.split(part) for part in COMMANDS[1].split(" | "))
    samples = client.get(_target(get[2]))
    answer = client.post(_target(post[2]), content=samples.content, headers={"content-type": "application/json"})
    assert {p["decision"] for p in answer.json()["predictions"]} == {"answer", "abstain"}  # the samples show both
    assert len(json.loads(samples.content)["inputs"]) == 10


def test_figures() -> None:
    assert f"up to {MAX_PREPROCESSED} rows" in TEXT
    assert f"up to {MAX_PREPROCESSED} inputs" in TEXT
