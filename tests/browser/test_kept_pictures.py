"""The screenshots in the documents can be reproduced, and are small."""

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.browser.pictures import VIEWS, take
from tests.browser.reading import ROOT
from tests.server import Server

MAX_BYTES = 150_000


@pytest.mark.parametrize("name", VIEWS)
def test_picture_is_like_the_stored_one(browser: Browser, fashion: Server, tmp_path: Path, name: str) -> None:
    taken, kept = take(browser, fashion.address, name, tmp_path), ROOT / "docs" / "pictures" / f"{name}.png"
    assert max(taken.stat().st_size, kept.stat().st_size) < MAX_BYTES
    actual, expected = (Image.open(path).convert("L").resize((64, 64)) for path in (taken, kept))
    # Fonts differ between machines; the layout and the scheme do not.
    differences = [abs(a - b) for a, b in zip(actual.tobytes(), expected.tobytes(), strict=True)]
    assert sum(differences) / len(differences) < 12
