"""The content security policy is enforced: no foreign script runs, and nothing is loaded from another host."""

from playwright.sync_api import Page, expect

from tests.browser.reading import ready
from tests.browser.watching import Watch
from tests.server import Server


def test_injected_script_does_not_run(page: Page, watch: Watch) -> None:
    """The watch of the other tests records the violation."""
    ready(page)
    assert watch.messages == []
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            try { script.textContent = "window.ran = true"; } catch { /* a text is no trusted script */ }
            document.body.append(script);
            const styled = document.createElement("p");
            styled.setAttribute("style", "color: red");
            document.body.append(styled);
            try { document.body.insertAdjacentHTML("beforeend", "<p id=markup>"); } catch { /* nor trusted markup */ }
        }"""
    )
    assert page.evaluate("window.ran") is None
    expect(page.locator("#markup")).to_have_count(0)
    assert any("Content Security Policy" in text for text in watch.messages), watch.messages
    watch.messages.clear()


def test_nothing_is_loaded_from_another_host(page: Page, watch: Watch, several: Server) -> None:
    """The other host is the same machine, by another name."""
    ready(page)
    foreign = several.address.replace("127.0.0.1", "localhost")
    outcome = page.evaluate(
        """async (url) => {
            try { await fetch(url); return "loaded"; } catch { return "refused"; }
        }""",
        f"{foreign}/livez",
    )
    assert outcome == "refused"
    assert any("Content Security Policy" in text for text in watch.messages), watch.messages
    watch.messages.clear()
    watch.foreign_urls.clear()


def test_page_cannot_be_framed(page: Page, watch: Watch, several: Server) -> None:
    # The service's own pages may hold no frame, so the outer page comes from the test.
    framing = f"{several.address}/framing"
    page.route(framing, lambda route: route.fulfill(content_type="text/html", body="<iframe src='/'></iframe>"))
    with page.expect_event("console", lambda message: "frame-ancestors" in message.text):
        page.goto(framing)
    expect(page.frame_locator("iframe").locator("main")).to_have_count(0)
    assert any("frame-ancestors" in text for text in watch.messages), watch.messages
    watch.messages.clear()
