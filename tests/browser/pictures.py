"""Takes the screenshots for the documents: `python -m tests.browser.pictures MODEL FOLDER`."""

import argparse
import io
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.reading import drop, picture, ready
from tests.browser.watching import launched, watched
from tests.server import serving

WIDE = {"width": 1280, "height": 1190}
VIEWS: dict[str, dict[str, Any]] = {
    "page-light": {"viewport": WIDE, "color_scheme": "light"},
    "page-dark": {"viewport": WIDE, "color_scheme": "dark"},
    "page-phone": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
}
COLOURS = 256  # of a stored picture: it takes less than half of the bytes and looks the same


def take(browser: Browser, address: str, name: str, folder: Path) -> Path:
    """Take one view: an answer in the light scheme, an abstention in the dark one, or an answer on a phone."""
    with watched(browser, address, **VIEWS[name]) as (page, _):
        ready(page)
        drop(page, picture("shirt.png" if name == "page-dark" else "ankle-boot.png"))
        expect(page.locator(".verdict.abstain" if name == "page-dark" else ".verdict.answer")).to_be_visible()
        expect(page.locator(".sample[aria-pressed=true]")).to_have_count(0)
        _settle(page)
        if name == "page-phone":
            page.locator("#answer").evaluate("e => e.scrollIntoView({ behavior: 'instant' })")
        content = page.screenshot(animations="disabled")
    path = folder / f"{name}.png"
    image = Image.open(io.BytesIO(content)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def _settle(page: Page) -> None:
    """Wait until every request is answered and shown."""
    page.wait_for_load_state("networkidle")
    page.evaluate("() => new Promise((shown) => requestAnimationFrame(() => requestAnimationFrame(shown)))")


def main() -> None:
    """Take all screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    with serving(options.model) as server, sync_playwright() as playwright, launched(playwright) as browser:
        for name in VIEWS:
            take(browser, server.address, name, options.folder)


if __name__ == "__main__":
    main()
