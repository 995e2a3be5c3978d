"""The explanation: contributions add up to the logit, in the colours for and against."""

from typing import Any

import httpx2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.reading import bars, numbers, pixels, ready
from tests.server import Server


def _explanation(server: Server, page: Page, label: str) -> dict[str, Any]:
    body = {"inputs": [pixels(page)[..., 0].tolist()], "label": label}
    explanation: dict[str, Any] = httpx2.post(f"{server.address}/explain", json=body).json()["explanations"][0]
    return explanation


def test_parts_add_up_to_the_logit(page: Page, fashion: Server) -> None:
    ready(page)
    label = max(bars(page).items(), key=lambda row: row[1][1])[0]
    explanation = _explanation(fashion, page, label)
    expect(page.locator("#why h3")).to_have_text(f"Contribution of each pixel to {label}")
    favouring, against, bias, logit = numbers(" ".join(page.locator(".sum b").all_inner_texts()))
    assert favouring > 0 > against
    assert favouring + against + bias == pytest.approx(logit, abs=2e-4)
    assert logit == pytest.approx(explanation["logit"], abs=1e-4)
    assert bias == pytest.approx(explanation["bias"], abs=1e-4)


@pytest.mark.parametrize("control", ["bar", "list"])
def test_class_is_chosen_by_its_bar_and_from_the_list(page: Page, fashion: Server, control: str) -> None:
    ready(page)
    if control == "bar":
        page.locator(".bars button", has_text="Sandal").click()
        expect(page.get_by_label("Explain")).to_have_value("Sandal")
    else:
        page.get_by_label("Explain").select_option("Sandal")
    expect(page.locator("#why h3")).to_have_text("Contribution of each pixel to Sandal")
    expect(page.locator(".bars button[aria-pressed=true] .name")).to_have_text("Sandal")
    explanation = _explanation(fashion, page, "Sandal")
    assert numbers(page.locator(".sum b").last.inner_text())[0] == pytest.approx(explanation["logit"], abs=1e-4)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_heat_map_is_blue_for_and_orange_against(page: Page, fashion: Server, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    ready(page)
    page.locator(".bars button", has_text="Pullover").click()
    expect(page.locator("#why h3")).to_have_text("Contribution of each pixel to Pullover")
    contributions = np.array(_explanation(fashion, page, "Pullover")["contributions"])
    shown = pixels(page, "#heat-map").astype(int)
    largest = np.abs(contributions).max()
    strong = np.abs(contributions) > largest / 3
    bluer = shown[..., 2] > shown[..., 0]
    assert strong.sum() > 5
    np.testing.assert_array_equal(bluer[strong], contributions[strong] > 0)
    # Pixels that contribute almost nothing have almost one colour, the background's.
    nothing = shown[np.abs(contributions) < largest / 1000]
    assert len(nothing) > 5
    assert np.ptp(nothing, axis=0).max() <= 2
    page.locator("#heat-map").focus()
    readout = page.locator("#why output")
    expect(readout).to_contain_text("Row 15, column 15")
    page.keyboard.press("ArrowLeft")
    expect(readout).to_contain_text("Row 15, column 14")
    assert numbers(readout.inner_text())[-1] == pytest.approx(contributions[14, 13], abs=1e-4)
