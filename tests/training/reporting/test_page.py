"""The page: self-contained, complete, and open about problems."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from service.contract.training import Lift, Selection, Tried
from service.inference.classifier import Classifier
from tests import tiny
from tests.training.conftest import tiny_splits
from training.publishing.export import to_onnx
from training.reporting.evaluation.evaluation import Evaluation, evaluate
from training.reporting.page import page
from training.reporting.pictures.abstained import tiles
from training.reporting.pictures.sheet import Picture, draw_all

_EMPTY = {"meta", "link", "img", "br"}
_LOADS = {"src", "href", "srcset", "data", "action", "poster", "background", "style"}


class _Page(HTMLParser):
    """A page as a browser parses it: its elements, correctly nested, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def _html(evaluation: Evaluation) -> str:
    return page(evaluation, {picture.name: picture for picture in draw_all(evaluation)})


@pytest.fixture(scope="module")
def pictures(evaluation: Evaluation) -> list[Picture]:
    return draw_all(evaluation)


@pytest.fixture(scope="module")
def html(evaluation: Evaluation, pictures: list[Picture]) -> str:
    return page(evaluation, {picture.name: picture for picture in pictures})


def test_page_is_self_contained(html: str) -> None:
    assert html.startswith("<!doctype html>")
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]*", "", html))
    parsed = _Page(html)
    assert "script" not in {tag for tag, _ in parsed.elements}
    loaded = [value for _, attributes in parsed.elements for name, value in attributes.items() if name in _LOADS]
    assert all(value is not None and value.startswith("data:") for value in loaded)
    assert not [name for _, attributes in parsed.elements for name in attributes if name.startswith("on")]


def test_pictures_are_embedded_and_described(html: str, pictures: list[Picture]) -> None:
    images = [attributes for tag, attributes in _Page(html).elements if tag == "img"]
    embedded = {base64.b64decode((image["src"] or "").removeprefix("data:image/png;base64,")) for image in images}
    assert embedded == {picture.png for picture in pictures}
    assert {image["alt"] for image in images} == {picture.alt for picture in pictures}
    assert all(len(picture.alt) > 40 for picture in pictures)


def test_page_adapts_to_every_screen(html: str) -> None:
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert html.count('<div class="scroll">') == html.count("<table>")


def test_every_certified_point_is_listed(html: str, evaluation: Evaluation) -> None:
    abstention, words = evaluation.manifest.abstention, _Page(html).words
    assert abstention is not None
    for risk in abstention.selective_risk:
        assert f"selective_risk {risk.selective_risk:g}" in words
        if risk.status == "certified":
            assert f"confidence >= {risk.threshold:.4f}" in words
            assert risk.coverage is not None
            assert f"{100 * risk.coverage:.1f} %" in words
    for cost in abstention.reject_cost:
        assert f"reject_cost {cost.reject_cost:g}" in words
    for point in evaluation.points:
        assert f"{100 * point.coverage:.1f} %" in words
    for sets in evaluation.prediction_sets:
        assert f"{100 * sets.set_coverage:.1f} %" in words
    for strange in evaluation.strange:
        assert strange.name in words


def test_worst_class_leads_the_page(html: str, evaluation: Evaluation) -> None:
    worst = max(evaluation.classes, key=lambda c: c.errors / c.answered)
    assert worst.answered >= 30
    errors, answered = (sum(getattr(c, count) for c in evaluation.classes) for count in ("errors", "answered"))
    words = _Page(html).words
    sentence = (
        f"Of the answered inputs of class {worst.label}, {100 * worst.errors / worst.answered:.1f} % get a wrong "
        f"label; over all classes it is {100 * errors / answered:.1f} %."
    )
    assert words.index(sentence) < words.index("Operating points")


def test_page_states_what_is_not_promised(html: str) -> None:
    words = _Page(html).words
    assert "Anything about one answer or one class: the promises are about all answers together." in words
    assert "drawn as the calibration split was, from the official test images" in words


def test_sound_model_has_no_warning(html: str, evaluation: Evaluation) -> None:
    abstention = evaluation.manifest.abstention
    assert abstention is not None
    infeasible = [c for c in (*abstention.selective_risk, *abstention.reject_cost) if c.status == "infeasible"]
    assert ("Read this first" in html) is bool(infeasible)
    assert "The report split contradicts" not in html


def test_false_promise_is_a_red_notice_and_infeasible_target_a_warning(tiny_model: Path) -> None:
    images = np.repeat(tiny.IMAGES[1:2], 100, axis=0)
    evaluation = evaluate(Classifier.load(tiny_model), tiny_splits([1] * 70 + [2] * 30, images))
    words = _Page(_html(evaluation)).words
    red, rest = words.split("Read this first")
    notice = red[red.index("The report split contradicts a promise") :]
    assert len(evaluation.contradictions) == 2
    for sentence in evaluation.contradictions:
        assert sentence in notice
    warning = rest[: rest.index("Operating points")]
    assert "Clopper-Pearson" not in warning
    assert "selective_risk 0.01 could not be certified: under this policy the model always abstains." in warning
    assert "reject_cost 0.01 could not be certified" in warning


def test_labels_are_shown_as_plain_text(tmp_path: Path) -> None:
    """They are not read as markup, nor as mathematics in the pictures."""
    labels = ["<script>alert(1)</script>", "$\\frac{", "a & b"]
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, tiny.manifest().model_copy(update={"labels": labels})))
    html = _html(evaluate(Classifier.load(path), tiny_splits([0, 1, 2, 2])))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_infeasible_default_policy(tmp_path: Path) -> None:
    infeasible = tiny.abstention().selective_risk[0].policy()
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, tiny.manifest().model_copy(update={"default_policy": infeasible})))
    evaluation = evaluate(Classifier.load(path), tiny_splits([0, 1, 2, 2]))
    words = _Page(_html(evaluation)).words
    assert "By default (selective_risk 0.01) it answers none of them." in words
    assert {tile.reason for tile in tiles(evaluation)} == {"no_certified_threshold"}


def test_model_without_certificates_says_so(tmp_path: Path) -> None:
    bare = tiny.manifest().model_copy(update={"abstention": None})
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, bare))
    evaluation = evaluate(Classifier.load(path), tiny_splits([0, 1, 2, 2]))
    words = _Page(_html(evaluation)).words
    assert "This model has no certificates" in words
    assert "Nothing is promised." in words
    assert "This model has no gate: it answers all of these inputs." in words
    assert "never_abstain (default)" in words
    assert "Prediction sets" not in words


def test_page_states_a_lift(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, tiny.manifest().model_copy(update={"lift": Lift(components=2)})))
    words = _Page(_html(evaluate(Classifier.load(path), tiny_splits([0, 1, 2, 2])))).words
    assert "Quadratic lift of 2 components. Recipe tuned, seed 0" in words


def test_choice_of_the_settings_is_a_table(tmp_path: Path) -> None:
    tried = {"augment": "none", "weight_decay": 0.1, "standard_error": 0.01}
    trials = [
        Tried.model_validate(tried | {"lift": lift, "loss": loss}) for lift, loss in ((0, 0.5), (8, 0.3), (16, 0.4))
    ]
    selection = Selection(method="cross-validation", rows=1234, tried=trials, chosen=1)
    training = tiny.manifest().training.model_copy(update={"recipe": "auto", "selection": selection})
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, tiny.manifest().model_copy(update={"training": training})))
    words = _Page(_html(evaluate(Classifier.load(path), tiny_splits([0, 1, 2, 2])))).words
    assert "on 1,234 rows that a fit had not seen, of train and tune by cross-validation" in words
    assert "the features alone0.10.5000 +0.2000 (0.0100)" in words
    assert "products of 8 coordinates0.10.3000 chosen" in words
    assert words.count("chosen") == 3  # in the heading, the caption and once in the table


def test_given_settings_have_no_table(html: str, evaluation: Evaluation) -> None:
    assert ("How the settings were chosen" in html) == (evaluation.manifest.training.selection is not None)
