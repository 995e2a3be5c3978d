"""Several models in one page, models that promise nothing, and the model card."""

import re
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Browser, Page, expect

from tests.browser.models import write_folder
from tests.browser.reading import ready, reason, verdict
from tests.browser.watching import watched
from tests.server import Server, serving


def test_models_are_chosen_by_name(several: Server, page: Page) -> None:
    del several
    ready(page)
    choice = page.get_by_label("Model", exact=True)
    expect(choice).to_have_value("bytes")  # the first model that may serve, as there is no default
    expect(choice.locator("option[disabled]")).to_have_text(["broken (not ready)"])
    expect(page.locator("#picture")).to_be_visible()
    choice.select_option("table")
    expect(page.get_by_label("age", exact=True)).to_be_visible()
    expect(page.locator("#picture")).to_have_count(0)
    assert page.url.endswith("/?model=table")
    page.reload()
    expect(page.get_by_label("age", exact=True)).to_be_visible()
    expect(choice).to_have_value("table")


def test_promise_that_could_not_be_certified(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=bytes")
    page.get_by_role("group", name="Wrong answers, at most").get_by_text("1 %", exact=True).click()
    expect(reason(page)).to_have_text("no_certified_threshold")
    expect(page.locator(".promise dd").first).to_have_text("It could not be certified, so the model always abstains.")


def test_model_without_certificates(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=plain")
    expect(page.get_by_role("group", name="Wrong answers, at most")).to_have_count(0)
    expect(page.get_by_label("Prediction set", exact=True)).to_have_count(0)
    slider = page.get_by_role("slider", name="Minimum confidence")
    slider.focus()
    page.keyboard.press("End")  # the strictest is 9/11, and the first sample has 1/3
    expect(verdict(page)).to_have_text("Abstains")
    expect(page.locator(".promise dd").last).to_have_text(
        "Answers 50.0 % of the report split; 0.0 % of those answers are wrong."
    )


def test_lift_is_stated_with_what_its_explanations_are_relative_to(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=lifted")
    expect(page.locator("#card-panel")).to_contain_text("quadratic lift of 70 components")
    expect(page.locator("#why .hint")).to_contain_text("The bias is the logit of the mean of the training inputs")


def test_card_states_what_the_service_does(page: Page, fashion: Server) -> None:
    ready(page)
    card: dict[str, Any] = httpx2.get(f"{fashion.address}/model").json()
    text = page.locator("#card-panel").inner_text()
    assert card["version"] in text
    assert ", ".join(card["labels"]) in text
    assert f"{100 * card['metrics']['accuracy']:.1f} %" in text
    risks = page.get_by_role("region", name=re.compile("Certified risks")).get_by_role("row")
    expect(risks).to_have_count(1 + len(card["abstention"]["selective_risk"]))
    for row, certificate, point in zip(
        risks.all()[1:], card["abstention"]["selective_risk"], card["metrics"]["operating_points"], strict=False
    ):
        cells = [cell.inner_text() for cell in row.get_by_role("cell").all()]
        assert cells[0] == f"{certificate['threshold']:.3f}"
        assert cells[2:4] == [f"{100 * certificate['risk_bound']:.2f} %", f"{100 * certificate['coverage']:.1f} %"]
        assert cells[4] == f"{100 * point['coverage']:.1f} %"
    for name, split in card["data"]["splits"].items():
        row = page.get_by_role("region", name=re.compile("^Data")).get_by_role("row", name=re.compile(f"^{name} "))
        expect(row).to_contain_text(f"{split['size']:,}")


def test_page_without_samples_starts_empty(browser: Browser, tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    with (
        serving(folder, DEMUR_MODELS=str(folder), DEMUR_SAMPLES="false") as server,
        watched(browser, server.address) as (page, watch),
    ):
        watch.refused = True  # a half-typed row
        ready(page, "/?model=bytes")  # the picture is black
        expect(page.locator(".sample")).to_have_count(0)
        expect(verdict(page)).to_have_text("dark")
        for model, field, text in (("vector", "2 numbers, typed or pasted", "1, 0"), ("table", "age", "50")):
            page.goto(f"/?model={model}")
            expect(verdict(page)).to_have_text("\u2013")
            if model == "table":
                page.get_by_label("mass").fill("70")
            page.get_by_label(field, exact=True).fill(text)
            expect(verdict(page)).to_have_text("left")
