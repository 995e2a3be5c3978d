"""The page with a table, embeddings and tokens, and with labels that are markup."""

import math

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.models import MARKUP
from tests.browser.reading import bars, drop, numbers, ready, verdict
from tests.browser.watching import Watch
from tests.server import Server
from tests.service.arrays import npy

NPY = "application/octet-stream"  # a browser knows no type for such files


def _probabilities(page: Page) -> list[float]:
    return [probability for _, probability in bars(page).values()]


def _settled(page: Page, *probabilities: float) -> None:
    for i, probability in enumerate(probabilities):
        expect(page.locator(".bars .value").nth(i)).to_have_text(f"{probability:.3f}")


def test_table_is_a_form(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=table")
    _settled(page, 1 / 3, 1 / 3, 1 / 3)  # the first sample, age 40 and f
    page.get_by_label("age", exact=True).fill("50")
    _settled(page, 1 / 11, 9 / 11, 1 / 11)
    page.get_by_label("age", exact=True).fill("40")
    page.get_by_label("sex", exact=True).select_option("m")
    _settled(page, 1 / 11, 1 / 11, 9 / 11)
    page.get_by_label("sex", exact=True).select_option("(another)")
    _settled(page, 1 / 3, 1 / 3, 1 / 3)
    expect(page.get_by_text("(missing)")).to_have_count(0)


def test_explanation_of_a_table_is_by_column(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=table")
    page.get_by_label("age", exact=True).fill("60")
    page.get_by_label("sex", exact=True).select_option("m")
    page.locator(".bars button", has_text="left").click()
    expect(page.locator("#why h3")).to_have_text("Contribution of each column to left")
    shares = {
        row.locator(".name").inner_text(): row.locator(".value").inner_text()
        for row in page.locator(".shares li").all()
    }
    assert list(shares) == ["age", "sex", "mass"]
    assert numbers(shares["age"])[0] == pytest.approx(2 * math.log(9), abs=5e-4)
    assert numbers(page.locator(".sum b").last.inner_text())[0] == pytest.approx(2 * math.log(9), abs=1e-4)


def test_field_that_is_not_a_number_shows_the_services_error(several: Server, page: Page, watch: Watch) -> None:
    del several
    watch.refused = True
    ready(page, "/?model=table")
    page.get_by_label("age", exact=True).fill("forty")
    expect(page.get_by_role("alert")).to_contain_text("inputs[0].age")
    expect(page.get_by_role("alert")).to_contain_text('"forty"')
    expect(verdict(page)).to_have_text("\u2013")  # no answer of another row is shown
    page.get_by_label("age", exact=True).fill("")
    expect(page.get_by_role("alert")).to_contain_text("null")
    page.get_by_label("age", exact=True).fill("50")
    expect(page.get_by_role("alert")).to_be_hidden()
    _settled(page, 1 / 11, 9 / 11, 1 / 11)


def test_values_may_be_missing_if_the_model_allows_it(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=gaps")
    page.get_by_label("age", exact=True).fill("50")
    _settled(page, 1 / 11, 9 / 11, 1 / 11)
    page.get_by_label("age", exact=True).fill("")
    _settled(page, 1 / 3, 1 / 3, 1 / 3)  # the mean of the training rows
    page.get_by_label("sex", exact=True).select_option("(missing)")
    _settled(page, 1 / 3, 1 / 3, 1 / 3)


def test_rows_of_a_table_from_a_file(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=table")
    drop(page, ("rows.npy", NPY, npy(np.array([[50, 0, 70], [40, 1, 70]], np.float32))))
    expect(page.get_by_label("age", exact=True)).to_have_value("50")
    page.get_by_role("button", name="Input of your file 2").click()
    expect(page.get_by_label("sex", exact=True)).to_have_value("1")
    _settled(page, 1 / 11, 1 / 11, 9 / 11)


def test_embedding_is_typed_pasted_or_a_file(several: Server, page: Page, watch: Watch) -> None:
    del several
    ready(page, "/?model=vector")
    numbers_field = page.get_by_label("2 numbers, typed or pasted")
    numbers_field.fill("[1.0, 0]")
    _settled(page, 1 / 11, 9 / 11, 1 / 11)
    numbers_field.fill("0\t1\n")
    _settled(page, 1 / 11, 1 / 11, 9 / 11)
    drop(page, ("one.npy", NPY, npy(np.array([[1, 1], [1, 0]], np.float32))))
    expect(numbers_field).to_have_value("1, 1")
    _settled(page, 1 / 19, 9 / 19, 9 / 19)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose an .npy file").click()
    chooser.value.set_files({"name": "x.npy", "mimeType": NPY, "buffer": npy(np.array([[0.1, 0]], np.float32))})
    expect(numbers_field).to_have_value("0.1, 0")
    watch.refused = True
    numbers_field.fill("1 2 3")
    expect(page.get_by_role("alert")).to_have_text("inputs[0] has 3 numbers: a row has 2")
    drop(page, ("many.npy", NPY, npy(np.zeros((17, 2), np.float32))))
    expect(page.get_by_role("alert")).to_have_text("there are 17 inputs: at most 16 are shown in one request")


def test_tokens_are_a_text(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=words")
    text = page.get_by_label("Text, with spaces between the tokens")
    text.fill("never mind a b")
    _settled(page, 1 / 11, 9 / 11, 1 / 11)
    expect(page.locator(".tokens li")).to_have_text(["a", "b"])
    text.fill("b  who")
    expect(page.locator(".tokens li")).to_have_text(["b", "who (unknown)"])
    _settled(page, 1 / 3, 1 / 3, 1 / 3)
    text.fill("b a")
    expect(page.locator("#why h3")).to_have_text("Contribution of each token to right")
    expect(page.locator(".shares .name")).to_have_text(["b", "a"])


def test_very_many_classes(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=words-many")
    expect(page.locator(".bars li")).to_have_count(10)
    expect(page.locator(".members")).to_be_empty()
    page.get_by_label("Top", exact=True).fill("4")
    page.keyboard.press("Tab")
    expect(page.locator(".bars li")).to_have_count(4)
    name = page.locator(".bars .name").nth(2).inner_text()
    page.locator(".bars button").nth(2).click()
    expect(page.locator("#why h3")).to_have_text(f"Contribution of each token to {name}")
    page.get_by_label("Prediction set", exact=True).select_option("90 % on average")
    expect(page.locator(".member").first).to_be_visible()


def test_label_that_is_markup_is_text(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=markup")
    expect(page.locator(".bars .name")).to_have_text(MARKUP)
    page.locator(".bars button").nth(1).click()
    expect(page.locator("#why h3")).to_have_text(f"Contribution of each pixel to {MARKUP[1]}")
    expect(page.locator("main img, main b:not(.sum b)")).to_have_count(0)
