"""Promises, their population, and whether they hold are visible beside the user's own input."""

from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.reading import bars, ready, reason, verdict
from tests.server import Server


def _colour(locator: Locator, name: str) -> str:
    colour: str = locator.evaluate("(e, name) => getComputedStyle(e)[name]", name)
    return colour


def _token(page: Page, name: str) -> str:
    """A colour of the page's scheme, as the browser computes it."""
    colour: str = page.evaluate(
        """name => {
            const probe = document.body.appendChild(document.createElement("i"));
            probe.style.setProperty("color", `var(${name})`);
            const colour = getComputedStyle(probe).color;
            probe.remove();
            return colour;
        }""",
        name,
    )
    return colour


@pytest.fixture
def card(several: Server) -> dict[str, Any]:
    body: dict[str, Any] = httpx2.get(f"{several.address}/models/contradicted").json()
    return body


def test_contradicted_promises_are_a_red_notice(page: Page, card: dict[str, Any]) -> None:
    ready(page, "/?model=contradicted")
    notice = page.locator("#policy").get_by_role("alert")
    assert len(card["warnings"]) == 2
    expect(notice.get_by_role("listitem")).to_have_text(card["warnings"])
    assert _colour(notice, "borderLeftColor") == _colour(notice.locator("strong"), "color") == _token(page, "--wrong")
    page.get_by_label("Model", exact=True).select_option("bytes")  # the same without warnings
    expect(page.locator("#version")).not_to_have_text(card["version"])
    expect(page.locator("#policy").get_by_role("alert")).to_have_count(0)
    expect(page.locator(".wrong, .contradicted")).to_have_count(0)


def test_default_policy_without_a_certificate_is_a_notice_of_its_own(page: Page, several: Server) -> None:
    del several
    ready(page, "/?model=unanswering")
    notice = page.locator("#policy").get_by_role("alert")
    expect(notice.locator("strong")).to_have_text("Without a policy the model never answers")
    expect(notice.get_by_role("listitem")).to_contain_text(
        ["make it the default by --default-risk 0.1 in the next fit"]
    )
    expect(page.locator(".wrong, .contradicted")).to_have_count(0)


def test_contradicted_operating_points_are_marked_in_words(page: Page, card: dict[str, Any]) -> None:
    del card
    ready(page, "/?model=contradicted")
    notice = "The report split contradicts this promise."
    for group, text in (("Wrong answers, at most", "10 %"), ("Cost of abstaining", "0.2")):
        choice = page.get_by_role("group", name=group)
        expect(choice.locator(".wrong")).to_have_count(1)  # the other one could not be certified
        expect(choice.locator("s")).to_have_text(text)
        choice.get_by_role("radio", name=f"{text} contradicted").check()
        promise = page.locator(".promise dd").first
        expect(promise.locator("s")).to_contain_text("at most", ignore_case=True)
        expect(promise.locator("strong")).to_have_text(notice)
        expect(page.locator("#answer .about strong")).to_have_text(notice)
    expect(page.locator(".curve .contradicted title")).to_contain_text(notice)
    expect(page.get_by_role("cell", name="40.0 %, contradicts the promise")).to_have_count(2)
    page.get_by_role("group", name="No condition").get_by_text("always answer").click()
    expect(page.locator(".promise dd").first).to_have_text("Nothing.")
    expect(page.locator("#answer .about strong")).to_have_count(0)


def test_promise_beside_an_answer_names_its_population(page: Page, fashion: Server) -> None:
    certificate = httpx2.get(f"{fashion.address}/model").json()["abstention"]["selective_risk"][-1]
    examples = f"{certificate['size']:,} calibration examples ({certificate['population']})"
    population = f"For inputs drawn like the {examples}, "
    joint = ", at a confidence level of 95 %. This covers all of them together, not this one."
    ready(page)
    page.get_by_role("group", name="Wrong answers, at most").get_by_text("10 %", exact=True).click()
    about = page.locator("#answer .about")
    expect(about).to_have_text(f"{population}at most 10 % of those answered get a wrong label{joint}")
    expect(page.locator(".promise dd").first).to_contain_text(certificate["population"])
    page.get_by_role("group", name="Cost of abstaining").get_by_text("0.2", exact=True).click()
    expect(about).to_have_text(f"{population}an answer costs at most 0.2 on average{joint}")
    page.get_by_role("group", name="No condition").get_by_text("always answer").click()
    expect(about).to_have_text("This policy promises nothing.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_answer_is_in_neutral_colours(page: Page, fashion: Server, scheme: Any) -> None:
    """The text and background of an answer are those of the page: no green seal."""
    del fashion
    page.emulate_media(color_scheme=scheme)
    ready(page)
    page.get_by_role("group", name="No condition").get_by_text("always answer").click()
    answer = page.locator(".verdict.answer")
    expect(answer).to_be_visible()
    assert _colour(answer, "backgroundColor") == _token(page, "--ground")
    assert _colour(answer, "borderLeftColor") == _token(page, "--edge")
    assert _colour(answer.locator("strong"), "color") == _token(page, "--text")


def test_probabilities_are_grey_where_the_gate_decided(page: Page, card: dict[str, Any]) -> None:
    del card
    page.emulate_media(reduced_motion="reduce")
    ready(page, "/?model=contradicted")
    notice = page.get_by_text("The probabilities of an input unlike the training data mean nothing.")
    fill, mark = page.locator(".bars .ranked .fill").first, page.locator(".threshold")
    page.get_by_role("button", name="Sample 2", exact=True).click()
    expect(verdict(page)).to_have_text("left")
    expect(notice).to_be_hidden()
    assert _colour(fill, "backgroundColor") == _token(page, "--accent")
    assert _colour(mark, "borderLeftColor") == _token(page, "--abstain")
    page.get_by_role("button", name="Sample 4", exact=True).click()
    expect(reason(page)).to_have_text("out_of_distribution")
    expect(notice).to_be_visible()
    assert _colour(fill, "backgroundColor") == _token(page, "--line")
    assert _colour(mark, "borderLeftColor") == _token(page, "--edge")
    assert bars(page)["right"][1] == pytest.approx(9 / 19, abs=0.001)  # the probabilities remain readable
    page.get_by_role("group", name="No condition").get_by_text("always answer").click()  # this policy has no gate
    expect(verdict(page)).to_have_text("left")
    expect(notice).to_be_hidden()
    assert _colour(fill, "backgroundColor") == _token(page, "--accent")
