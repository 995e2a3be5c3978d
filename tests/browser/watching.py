"""Watches a page in a real browser: its console messages, and the hosts that it requests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, Request

PATIENCE = 20_000  # milliseconds, for a shared machine
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """The machine's own Chromium, headless."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program is not None, f"none of {', '.join(PROGRAMS)} is on this machine: apt-get install chromium"
    browser = playwright.chromium.launch(executable_path=program)
    yield browser
    browser.close()


@dataclass
class Watch:
    """Records what a page must not do."""

    address: str
    messages: list[str] = field(default_factory=list)
    foreign_urls: list[str] = field(default_factory=list)
    refused: bool = False  # whether the service's refusals, which a browser reports on its console, are expected

    def __call__(self, page: Page) -> None:
        """Watch this page."""
        page.on("console", lambda message: self._record_message(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", self._record_request)
        page.on("filechooser", lambda _: None)  # from the start, so that the browser never opens a window of its own

    def _record_message(self, text: str) -> None:
        if not (self.refused and text.startswith("Failed to load resource: the server responded with a status of 4")):
            self.messages.append(text)

    def _record_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", "blob:", "data:")):
            self.foreign_urls.append(request.url)


@contextmanager
def watched(browser: Browser, address: str, **options: Any) -> Iterator[tuple[Page, Watch]]:
    """A page in a new context. At the end it must have reported nothing, and have requested only from this service."""
    context = browser.new_context(base_url=address, **options)
    context.set_default_timeout(PATIENCE)
    page, watch = context.new_page(), Watch(address)
    watch(page)
    yield page, watch
    context.close()
    assert not watch.messages, watch.messages
    assert not watch.foreign_urls, watch.foreign_urls
