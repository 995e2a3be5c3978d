"""A service that needs an API key: the pages ask for one, keep it for their tab, and report errors with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from service.http.access import keys
from service.http.access.scopes import FEEDBACK, PREDICT
from tests.browser.reading import ready, verdict
from tests.browser.watching import watched
from tests.server import Server, serving

GOOD, KEY = keys.new("page", frozenset({PREDICT}))
NARROW, NARROW_KEY = keys.new("shop", frozenset({FEEDBACK}))


@pytest.fixture(scope="module")
def locked(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"{KEY.line()}\n{NARROW_KEY.line()}\n")
    with serving(tiny_model, DEMUR_API_KEYS=str(file)) as server:
        yield server


@pytest.fixture
def page(browser: Browser, locked: Server) -> Iterator[Page]:
    with watched(browser, locked.address) as (page, watch):
        watch.refused = True
        yield page


def _enter(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use this key").click()


def test_page_asks_for_the_key_and_works_with_it(page: Page) -> None:
    page.goto("/")
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("an API key is needed")
    expect(page.get_by_label("API key")).to_be_focused()
    _enter(page, "demur_wrong")
    expect(problem).to_have_text("the API key is not known")
    _enter(page, NARROW)
    expect(problem).to_contain_text("the API key shop is for feedback: GET /models needs predict")
    _enter(page, GOOD)
    expect(verdict(page)).not_to_be_empty()
    expect(problem).to_be_hidden()
    expect(page.get_by_label("API key")).to_be_hidden()
    assert GOOD not in page.content()
    assert GOOD not in page.url
    page.reload()
    ready(page)  # the tab keeps the key
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]


def test_field_refuses_a_key_that_no_header_could_hold(page: Page) -> None:
    page.goto("/")
    _enter(page, "ключ")
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_another_tab_asks_again(page: Page, browser: Browser, locked: Server) -> None:
    page.goto("/")
    _enter(page, GOOD)
    expect(verdict(page)).not_to_be_empty()
    with watched(browser, locked.address) as (other, watch):
        watch.refused = True
        other.goto("/")
        expect(other.get_by_label("API key")).to_be_visible()


def test_api_page_asks_for_the_key_and_uses_it(page: Page) -> None:
    page.goto("/docs")
    expect(page.get_by_role("alert")).to_contain_text("an API key is needed")
    _enter(page, GOOD)
    predict = page.locator("#operations-default-predict_predict_post")
    predict.locator(".opblock-summary-control").click()
    with page.expect_response("**/predict") as answered:
        predict.get_by_role("button", name="Execute").click()
    assert answered.value.status == 200
    page.goto("/")
    ready(page)
