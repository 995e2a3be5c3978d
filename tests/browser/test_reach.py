"""Accessibility: on a phone, by keyboard only, in the dark scheme, with enough contrast."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.reading import ready, reason, verdict
from tests.browser.watching import watched
from tests.server import Server

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
CONTROLS = "a[href], button, select, textarea, input:not([type=file]), canvas[tabindex], [tabindex='0']"


def _overflow(page: Page) -> int:
    overflow: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return overflow


def test_phone_shows_everything_without_scrolling_sideways(browser: Browser, fashion: Server) -> None:
    with watched(browser, fashion.address, **PHONE) as (page, _):
        ready(page)
        assert _overflow(page) == 0
        for control in page.locator(CONTROLS).filter(visible=True).all():
            control.scroll_into_view_if_needed()
            box = control.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
        page.get_by_role("button", name="Sample 8", exact=True).tap()
        expect(reason(page)).to_have_text("low_confidence")
        page.get_by_role("group", name="No condition").get_by_text("always answer").tap()
        expect(page.locator(".verdict.answer")).to_be_visible()
        assert _overflow(page) == 0


@pytest.mark.parametrize(
    "model", ["bytes", "colour", "contradicted", "gaps", "lifted", "markup", "plain", "vector", "words", "words-many"]
)
def test_phone_shows_every_kind_of_model(browser: Browser, several: Server, model: str) -> None:
    with watched(browser, several.address, **PHONE) as (page, _):
        ready(page, f"/?model={model}")
        assert _overflow(page) == 0


def test_targets_are_large_enough_for_a_finger(browser: Browser, fashion: Server) -> None:
    """At least 24 CSS pixels either way, or inside a label that has them: WCAG 2.2, 2.5.8."""
    with watched(browser, fashion.address, **PHONE) as (page, _):
        ready(page)
        small = page.evaluate(
            """selector => [...document.querySelectorAll(selector)]
                .filter((control) => control.checkVisibility() && !control.matches("a, .wide, [type=checkbox]"))
                .map((control) => [(control.closest("label") ?? control).getBoundingClientRect(), control.outerHTML])
                .filter(([box]) => box.width < 24 || box.height < 24)
                .map(([, html]) => html)""",
            CONTROLS,
        )
        assert small == []


def test_every_control_is_reached_by_tab_and_shows_the_focus(page: Page) -> None:
    ready(page)
    # The tab key reaches one of a group of radio buttons, and the arrow keys the others.
    expected = page.evaluate(
        """selector => {
            const all = [...document.querySelectorAll(selector)].filter((control) => control.checkVisibility());
            const radio = (control) => control.type === "radio" && !control.checked;
            return all.filter((control) => !radio(control)).length;
        }""",
        CONTROLS,
    )
    assert expected > 30
    reached = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(expected):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => {
                    const here = document.activeElement;
                    const shown = here.closest("label, .stage") ?? here;
                    const [a, b] = [getComputedStyle(here), getComputedStyle(shown)];
                    const outlined = [a, b].some((s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2);
                    here.dataset.reached = "yes";
                    return [here.outerHTML.slice(0, 80), outlined];
                }"""
            )
        )
    assert [html for html, outlined in reached if not outlined] == []
    assert page.locator("[data-reached]").count() == expected


def test_page_works_by_keyboard_only(page: Page) -> None:
    """Choose a sample, the explained class, a policy and a file."""
    ready(page)
    _tab_to(page, "button[aria-label='Sample 8']")
    page.keyboard.press("Enter")
    expect(reason(page)).to_have_text("low_confidence")
    _tab_to(page, "button:text('Choose a picture')")
    with page.expect_file_chooser():
        page.keyboard.press("Enter")
    _tab_to(page, ".bars li:nth-child(9) button")
    page.keyboard.press("Space")
    expect(page.locator("#why h3")).to_have_text("Contribution of each pixel to Bag")
    _tab_to(page, ".choices input:checked")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
        if page.locator(".chip", has_text="always answer").locator("input").is_checked():
            break
    expect(page.locator(".verdict.answer")).to_be_visible()


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        if page.locator(selector).evaluate("e => e === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} was not reached")


# The contrast of each piece of text with its background, by WCAG's formula.
_CONTRAST = """() => {
    const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
    const light = ([r, g, b]) => [r, g, b]
        .map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = parse(getComputedStyle(e).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const poor = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let looked = 0;
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
        if (element.closest("title, noscript")) continue;
        const style = getComputedStyle(element);
        const colour = element instanceof SVGElement ? style.fill : style.color;
        const [one, other] = [light(parse(colour)), light(ground(element))].sort((a, b) => b - a);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        looked += 1;
        const contrast = (one + 0.05) / (other + 0.05);
        if (contrast < (large ? 3 : 4.5)) poor.push(`${walker.currentNode.data}: ${contrast.toFixed(2)}`);
    }
    return [looked, poor];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_a_contradicted_promise_is_enough(page: Page, several: Server, scheme: Any) -> None:
    del several
    page.emulate_media(color_scheme=scheme)
    ready(page, "/?model=contradicted")
    for sample, name in (("Sample 2", "left"), ("Sample 4", "Abstains")):  # the gate excludes the other
        page.get_by_role("button", name=sample, exact=True).click()
        expect(verdict(page)).to_have_text(name)
        expect(page.locator(".wrong:visible")).not_to_have_count(0)
        _, poor = page.evaluate(_CONTRAST)
        assert poor == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    ready(page)
    for sample in ("Sample 1", "Sample 8"):  # an answer, and an abstention
        page.get_by_role("button", name=sample, exact=True).click()
        expect(page.locator(f".verdict.{'answer' if sample == 'Sample 1' else 'abstain'}")).to_be_visible()
        looked, poor = page.evaluate(_CONTRAST)
        assert looked > 100
        assert poor == []


def test_schemes_differ(page: Page) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ready(page)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_reduced_motion_is_respected(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    ready(page)
    assert page.locator(".bars .fill").first.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"


def test_every_control_has_a_name(page: Page, fashion: Server) -> None:
    del fashion
    ready(page)
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "combobox", "textbox", "spinbutton", "slider", "radio", "checkbox", "link", "application"}
    controls = [n for n in nodes if n.get("role", {}).get("value") in roles and not n.get("ignored")]
    assert len(controls) > 30
    assert [n for n in controls if not n.get("name", {}).get("value")] == []
