"""Chromium, and services with the trained model and with small models of every kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.models import write_folder
from tests.browser.watching import PATIENCE, Watch, launched, watched
from tests.server import Server, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test in this folder, since all need a browser."""
    folder = Path(__file__).parent
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def fashion(trained_model: Path) -> Iterator[Server]:
    """A service with the trained model."""
    with serving(trained_model) as server:
        yield server


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with the folder of small models, and without a default."""
    folder = write_folder(tmp_path_factory.mktemp("models"))
    with serving(folder, DEMUR_MODELS=str(folder)) as server:
        yield server


@pytest.fixture
def watch(page_and_watch: tuple[Page, Watch]) -> Watch:
    return page_and_watch[1]


@pytest.fixture
def page(page_and_watch: tuple[Page, Watch]) -> Page:
    """A new, empty page."""
    return page_and_watch[0]


@pytest.fixture
def page_and_watch(browser: Browser, request: pytest.FixtureRequest) -> Iterator[tuple[Page, Watch]]:
    """A page and its watch, on `several` if the test uses that fixture, else on `fashion`."""
    name = "several" if "several" in request.fixturenames else "fashion"
    server: Server = request.getfixturevalue(name)
    with watched(browser, server.address) as opened:
        yield opened
