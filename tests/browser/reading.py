"""Reads values from the page, and repeats actions on it, for the tests."""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).parent.parent.parent


def ready(page: Page, path: str = "/") -> None:
    """Open the page, and wait for the answer to its first sample."""
    page.goto(path)
    expect(page.locator(".verdict strong")).not_to_be_empty()
    expect(page.locator(".sum .term").last).to_be_visible()


def verdict(page: Page) -> Locator:
    """The label, or that the model abstains."""
    return page.locator(".verdict strong")


def reason(page: Page) -> Locator:
    """The name of the reason for an abstention."""
    return page.locator(".verdict code")


def pixels(page: Page, canvas: str = "#picture") -> NDArray[np.uint8]:
    """The pixels of a canvas, `[H, W, 3]`."""
    image = page.locator(canvas).evaluate(
        """c => {
            const copy = new OffscreenCanvas(c.width, c.height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(c, 0, 0);
            return [c.height, c.width, [...copy.getImageData(0, 0, c.width, c.height).data]];
        }"""
    )
    height, width, data = image
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


def bars(page: Page) -> dict[str, tuple[str, float]]:
    """The rank of each class, empty if it has none, and its probability."""
    rows = page.locator(".bars button").all()
    return {
        row.locator(".name").inner_text(): (
            row.locator(".rank").inner_text(),
            float(row.locator(".value").inner_text()),
        )
        for row in rows
    }


def numbers(text: str) -> list[float]:
    """All numbers of a text, in order, with either form of minus."""
    return [float(n.replace(",", "")) for n in re.findall(r"-?\d[\d,]*(?:\.\d+)?", text.replace("\u2212", "-"))]


def transfer(page: Page, *files: tuple[str, str, bytes]) -> Any:
    """A DataTransfer of files `(name, type, content)`, in the page."""
    sent = [[name, kind, base64.b64encode(content).decode()] for name, kind, content in files]
    return page.evaluate_handle(
        """files => {
            const held = new DataTransfer();
            for (const [name, type, content] of files) {
                const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
                held.items.add(new File([bytes], name, { type }));
            }
            return held;
        }""",
        sent,
    )


def drop(page: Page, *files: tuple[str, str, bytes]) -> None:
    """Dispatch the events of dropping files on the page."""
    data = transfer(page, *files)
    page.dispatch_event("main", "dragover", {"dataTransfer": data})
    page.dispatch_event("main", "drop", {"dataTransfer": data})


def picture(name: str) -> tuple[str, str, bytes]:
    """A picture of the documents as a file."""
    return (name, "image/png", (ROOT / "docs" / name).read_bytes())
