"""The page with pictures: every way to load one, the model's view of it, and drawing by mouse, touch and keyboard."""

import base64
import io

import httpx2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.reading import ROOT, bars, drop, picture, pixels, ready, reason, verdict
from tests.browser.watching import Watch, watched
from tests.server import Server
from tests.service.pictures import encoded


def _photograph() -> bytes:
    """A dark bar on white, in colour, of a size that no model has."""
    image = Image.new("RGB", (120, 80), "white")
    image.paste("navy", (30, 20, 90, 60))
    return encoded(image)


def _model_pixels(server: Server, content: bytes, query: str) -> np.ndarray:
    answer = httpx2.post(f"{server.address}/inputs?{query}", content=content, headers={"content-type": "image/png"})
    return np.array(answer.json()["inputs"][0], np.uint8)


def test_dropped_picture_gets_the_answer_of_the_service(page: Page, fashion: Server) -> None:
    ready(page)
    file = picture("ankle-boot.png")
    drop(page, file)
    expect(verdict(page)).to_have_text("Ankle boot")
    np.testing.assert_array_equal(pixels(page)[..., 0], np.asarray(Image.open(io.BytesIO(file[2]))))
    (prediction,) = httpx2.post(
        f"{fashion.address}/predict", content=file[2], headers={"content-type": file[1]}
    ).json()["predictions"]
    shown = bars(page)
    labels = [entry["label"] for entry in prediction["top_k"]]
    assert [label for label, (rank, _) in sorted(shown.items(), key=lambda row: row[1][0]) if rank] == labels
    assert [probability for _, probability in shown.values()] == pytest.approx(prediction["probabilities"], abs=0.0005)
    expect(page.locator(".member")).to_have_text(prediction["prediction_set"])
    promise = "Holds the true label in 95 % of cases, for answers and abstentions each: "
    expect(page.locator(".members")).to_contain_text(promise)
    expect(page.locator(".verdict")).to_contain_text(f"confidence {prediction['confidence']:.3f}")


def test_picture_that_the_model_abstains_on(page: Page) -> None:
    ready(page)
    drop(page, picture("shirt.png"))
    expect(verdict(page)).to_have_text("Abstains")
    expect(reason(page)).to_have_text("low_confidence")
    drop(page, picture("noise.png"))
    expect(reason(page)).to_have_text("out_of_distribution")
    expect(page.locator(".verdict")).to_contain_text("unlike the training data")


def test_pasted_picture(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ready(page)
    expect(verdict(page)).not_to_have_text("Ankle boot")
    page.locator("#picture").focus()
    page.evaluate(
        """async (text) => {
            const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
            const blob = new Blob([bytes], { type: "image/png" });
            await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        _base64("ankle-boot.png"),
    )
    page.keyboard.press("Control+V")
    expect(verdict(page)).to_have_text("Ankle boot")


def _base64(name: str) -> str:
    return base64.b64encode((ROOT / "docs" / name).read_bytes()).decode()


def test_chosen_picture(page: Page) -> None:
    ready(page)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(ROOT / "docs" / "ankle-boot.png")
    expect(verdict(page)).to_have_text("Ankle boot")


def test_photograph_is_fitted_and_inverted_by_the_service(page: Page, fashion: Server) -> None:
    ready(page)
    content = _photograph()
    with page.expect_response("**/predict"):
        drop(page, ("photo.png", "image/png", content))
    expect(page.locator("#problem")).to_be_hidden()
    fitted, inverted = (_model_pixels(fashion, content, f"resize=true&invert={invert}") for invert in ("false", "true"))
    assert not np.array_equal(fitted, inverted)
    np.testing.assert_array_equal(pixels(page)[..., 0], fitted)
    with page.expect_response("**/predict"):
        page.get_by_label("Invert, for dark on light").check()
    np.testing.assert_array_equal(pixels(page)[..., 0], inverted)


def test_refusal_shows_the_services_message(page: Page, watch: Watch) -> None:
    watch.refused = True
    ready(page)
    page.get_by_label("Fit to size").uncheck()
    drop(page, ("photo.png", "image/png", _photograph()))
    expect(page.get_by_role("alert")).to_have_text(
        "body is an image of 120x80 pixels, mode RGB: it must be 28x28 grey (mode L), or sent with resize=true"
    )
    page.get_by_label("Fit to size").check()
    expect(page.get_by_role("alert")).to_be_hidden()
    drop(page, ("notes.txt", "text/plain", b"nothing to see"))
    expect(page.get_by_role("alert")).to_contain_text("content type text/plain is not supported")
    page.get_by_role("button", name="Sample 1", exact=True).click()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_several_files_can_be_stepped_through(page: Page) -> None:
    ready(page)
    drop(page, picture("ankle-boot.png"), picture("noise.png"))
    expect(verdict(page)).to_have_text("Ankle boot")
    page.get_by_role("button", name="Input of your file 2").click()
    expect(reason(page)).to_have_text("out_of_distribution")
    page.get_by_role("button", name="Sample 1", exact=True).click()
    expect(page.get_by_role("button", name="Input of your file 2")).to_have_count(0)


def test_samples_are_the_models_own(page: Page, fashion: Server) -> None:
    ready(page)
    samples = httpx2.get(f"{fashion.address}/samples").json()["inputs"]
    buttons = page.get_by_role("group", name="Samples").get_by_role("button")
    expect(buttons).to_have_count(len(samples))
    answers = httpx2.post(f"{fashion.address}/predict", json={"inputs": samples}).json()["predictions"]
    assert {answer["decision"] for answer in answers} == {"answer", "abstain"}
    for button, sample, answer in zip(buttons.all(), samples, answers, strict=True):
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(verdict(page)).to_have_text(answer["label"] or "Abstains")
        np.testing.assert_array_equal(pixels(page)[..., 0], np.array(sample))


def _at(page: Page, column: float, row: float) -> tuple[float, float]:
    """The position of a pixel's centre in the window."""
    box = page.locator("#picture").bounding_box()
    assert box is not None
    side = box["width"] / 28
    return box["x"] + (column + 0.5) * side, box["y"] + (row + 0.5) * side


def test_drawing_with_the_mouse(page: Page) -> None:
    ready(page)
    page.get_by_role("button", name="Clear").click()
    assert pixels(page).max() == 0
    page.locator("#picture").scroll_into_view_if_needed()
    page.mouse.move(*_at(page, 8, 6))
    page.mouse.down()
    with page.expect_response("**/predict"):
        page.mouse.move(*_at(page, 8, 20), steps=5)
    page.mouse.up()
    drawn = pixels(page)[..., 0]
    assert (drawn[6:21, 8] == 255).all()  # ink all along
    assert 0 < drawn[12, 9] < 255 or 0 < drawn[12, 10] < 255  # with a soft edge
    assert drawn[:, 12:].max() == 0
    assert drawn[:3].max() == 0
    page.get_by_text("Erase", exact=True).click()
    page.mouse.click(*_at(page, 8, 12))
    assert pixels(page)[12, 8, 0] == 0
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    assert pixels(page).max() == 0


def test_drawing_changes_the_answer(page: Page, fashion: Server) -> None:
    ready(page)
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Size", exact=True).fill("4")
    for column in (10, 14, 18):
        page.mouse.move(*_at(page, column, 3))
        page.mouse.down()
        page.mouse.move(*_at(page, column, 25), steps=4)
        page.mouse.up()
    body = {"inputs": [pixels(page)[..., 0].tolist()]}
    (prediction,) = httpx2.post(f"{fashion.address}/predict", json=body).json()["predictions"]
    expect(verdict(page)).to_have_text(prediction["label"] or "Abstains")
    expect(page.locator(".bars .value").first).to_have_text(f"{prediction['probabilities'][0]:.3f}")


def test_drawing_with_the_keyboard(page: Page) -> None:
    ready(page)
    page.get_by_role("button", name="Clear").click()
    page.locator("#picture").focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowLeft", "Space"):
        page.keyboard.press(key)
    expect(page.locator(".image-input output")).to_have_text("Row 13, column 14: 255")
    assert pixels(page)[12, 13, 0] == 255
    for _ in range(5):
        page.keyboard.press("Shift+ArrowRight")
    assert (pixels(page)[12, 13:19, 0] == 255).all()
    page.keyboard.press("e")
    expect(page.get_by_role("radio", name="Erase")).to_be_checked()
    page.keyboard.press("Space")
    assert pixels(page)[12, 18, 0] == 0
    for _ in range(7):
        page.keyboard.press("Control+Z")
    assert pixels(page).max() == 0


def test_drawing_with_a_finger(browser: Browser, fashion: Server) -> None:
    with watched(browser, fashion.address, has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740}) as (
        page,
        _,
    ):
        ready(page)
        page.get_by_role("button", name="Clear").click()
        page.locator("#picture").scroll_into_view_if_needed()
        before = page.evaluate("scrollY")
        start, end = _at(page, 14, 5), _at(page, 14, 22)
        session = page.context.new_cdp_session(page)
        for kind, places in (("touchStart", [start]), ("touchMove", [end]), ("touchEnd", [])):
            points = [{"x": x, "y": y} for x, y in places]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        assert (pixels(page)[5:22, 14, 0] == 255).all()
        assert page.evaluate("scrollY") == before  # a finger on the picture draws, and does not scroll


def test_picture_in_colour(several: Server, page: Page) -> None:
    del several
    ready(page, "/?model=colour")
    page.get_by_role("button", name="Sample 2").click()
    assert pixels(page).tolist() == [[[255, 0, 0]] * 6] * 8
    expect(page.locator("#why h3")).to_have_text("Contribution of each pixel to left")
    page.get_by_label("Colour").fill("#00ff00")
    page.locator("#picture").focus()
    page.keyboard.press("Space")
    assert pixels(page)[4, 3].tolist() == [0, 255, 0]
    with page.expect_response("**/predict"):
        drop(page, ("red.png", "image/png", encoded(Image.new("RGB", (60, 80), (9, 8, 7)))))
    assert pixels(page).tolist() == [[[9, 8, 7]] * 6] * 8
