"""The policy control: each change is answered by the service, and promises and measurements are shown."""

from typing import Any

import httpx2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.reading import numbers, pixels, ready, reason, verdict
from tests.browser.watching import Watch
from tests.server import Server


@pytest.fixture
def card(fashion: Server) -> dict[str, Any]:
    body: dict[str, Any] = httpx2.get(f"{fashion.address}/model").json()
    return body


def _choose(page: Page, group: str, text: str) -> None:
    page.get_by_role("group", name=group).get_by_text(text, exact=True).click()


def test_first_policy_is_the_services_default(page: Page, card: dict[str, Any]) -> None:
    ready(page)
    risk = card["default_policy"]["selective_risk"]
    default = page.get_by_role("group", name="Wrong answers, at most").get_by_role("radio", checked=True)
    expect(default).to_have_count(1)
    expect(page.locator(".promise dd").first).to_contain_text(f"At most {risk:.0%}".replace("%", " %"))
    expect(page.get_by_text("default")).to_have_count(1)


def test_slider_goes_until_the_model_abstains(page: Page, card: dict[str, Any], fashion: Server) -> None:
    """By the keyboard, from the laxest measured threshold to the strictest."""
    ready(page)
    curve, size = card["metrics"]["risk_coverage"], card["metrics"]["size"]
    page.get_by_role("button", name="Sample 3", exact=True).click()
    slider = page.get_by_role("slider", name="Minimum confidence")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.get_by_role("radio", name="Threshold by hand")).to_be_checked()
    expect(page.locator(".promise dd").first).to_have_text("Nothing.")
    decisions = []
    for i, threshold in reversed(list(enumerate(curve["thresholds"]))):
        coverage, risk = curve["answered"][i] / size, curve["errors"][i] / curve["answered"][i]
        measured = f"Answers {100 * coverage:.1f} % of the report split; {100 * risk:.1f} % of those answers are wrong."
        expect(page.locator(".promise dd").last).to_have_text(measured)
        body = {"inputs": [pixels(page)[..., 0].tolist()], "policy": {"threshold": threshold}}
        (prediction,) = httpx2.post(f"{fashion.address}/predict", json=body).json()["predictions"]
        expect(verdict(page)).to_have_text(prediction["label"] or "Abstains")
        decisions.append(prediction["decision"])
        page.keyboard.press("ArrowRight")
    assert decisions == sorted(decisions, reverse=True)  # answers first, then only abstentions
    assert set(decisions) == {"answer", "abstain"}
    expect(reason(page)).to_have_text("low_confidence")
    confidence, required = numbers(page.locator(".verdict span").inner_text())
    assert confidence < required


def test_certified_risk_shows_the_promise_and_the_measurement_apart(page: Page, card: dict[str, Any]) -> None:
    ready(page)
    page.get_by_role("button", name="Sample 3", exact=True).click()
    expect(verdict(page)).not_to_have_text("Abstains")
    _choose(page, "Wrong answers, at most", "1 %")
    expect(reason(page)).to_have_text("low_confidence")
    certificate = card["abstention"]["selective_risk"][0]
    promise = numbers(page.locator(".promise dd").first.inner_text())
    bound = round(100 * certificate["risk_bound"], 2)
    assert promise == [1, 95, certificate["size"], certificate["answered"], certificate["errors"], bound]
    point = card["metrics"]["operating_points"][0]
    measured = numbers(page.locator(".promise dd").last.inner_text())
    assert measured == pytest.approx([100 * point["coverage"], 100 * point["selective_risk"]], abs=0.051)


def test_cost_and_no_condition(page: Page, card: dict[str, Any]) -> None:
    ready(page)
    page.get_by_role("button", name="Sample 8", exact=True).click()
    expect(reason(page)).to_have_text("low_confidence")
    cost = card["abstention"]["reject_cost"][1]
    _choose(page, "Cost of abstaining", str(cost["reject_cost"]))
    expect(reason(page)).to_have_text("expected_cost")
    assert numbers(page.locator(".promise dd").first.inner_text()) == [
        cost["reject_cost"],
        95,
        round(cost["answer_cost_bound"], 4),
    ]
    _choose(page, "No condition", "always answer")
    expect(verdict(page)).not_to_have_text("Abstains")
    expect(page.locator(".promise dd").first).to_have_text("Nothing.")


def test_threshold_that_is_typed(page: Page, card: dict[str, Any], watch: Watch) -> None:
    ready(page)
    curve, size = card["metrics"]["risk_coverage"], card["metrics"]["size"]
    i = next(i for i, threshold in enumerate(curve["thresholds"]) if threshold < 0.75)
    page.get_by_label("Minimum confidence", exact=True).fill("0.75")
    page.keyboard.press("Enter")
    low, high, *_ = numbers(page.locator(".promise dd").last.inner_text())
    assert [low, high] == pytest.approx([100 * curve["answered"][j] / size for j in (i - 1, i)], abs=0.051)
    page.get_by_label("Minimum confidence", exact=True).fill("1")
    page.keyboard.press("Enter")
    expect(reason(page)).to_have_text("low_confidence")
    certain = curve["answered"][0] if curve["thresholds"][0] == 1 else 0  # confidences that float32 rounds to 1
    measured = numbers(page.locator(".promise dd").last.inner_text())[0]
    assert measured == pytest.approx(100 * certain / size, abs=0.051)
    page.get_by_label("Minimum confidence", exact=True).fill("")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Minimum confidence", exact=True)).to_have_value("1")
    watch.refused = True
    page.get_by_label("Minimum confidence", exact=True).fill("1.5")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("policy.threshold=1.5")
    page.get_by_role("group", name="Wrong answers, at most").get_by_text("10 %", exact=True).click()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_curve_is_that_of_the_manifest_and_marks_the_policy(page: Page, card: dict[str, Any]) -> None:
    ready(page)
    curve = card["metrics"]["risk_coverage"]
    points = page.locator(".curve .measured").evaluate("line => [...line.points].map((p) => [p.x, p.y])")
    assert len(points) == len(curve["thresholds"])
    assert (np.diff([x for x, _ in points]) > 0).all()
    certified = [c for c in card["abstention"]["selective_risk"] if c["status"] == "certified"]
    expect(page.locator(".curve .certificate")).to_have_count(len(certified))
    titles = page.locator(".curve .certificate title").all_text_contents()
    assert [numbers(title)[0] / 100 for title in titles] == pytest.approx([c["selective_risk"] for c in certified])
    places = []
    for text in ("1 %", "10 %"):
        _choose(page, "Wrong answers, at most", text)
        expect(page.locator(".curve")).to_have_attribute(
            "aria-label", f"Risk-coverage curve. {page.locator('.promise dd').last.inner_text()}"
        )
        places.append(page.locator(".curve circle").evaluate("c => [c.cx.baseVal.value, c.cy.baseVal.value]"))
    assert places[0][0] < places[1][0]  # more answers
    assert places[0][1] > places[1][1]  # at a higher risk, further up
