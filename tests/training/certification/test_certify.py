"""All certificates of one model, from scores whose quality is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from service.inference.classifier import Scores
from service.inference.decision import decide
from tests import tiny
from training.certification.certify import certify
from training.certification.scored import Scored, score
from training.certification.settings import AbstentionSettings
from training.data.dataset import Labelled
from training.publishing.export import to_onnx
from training.publishing.proof import load_draft


def _scored(size: int, seed: int, fingerprint: str) -> Scored:
    """Calibrated probabilities over three classes; one example in a hundred is an outlier."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.1, 0.1, 0.1], size).astype(np.float32)
    labels = (p.cumsum(axis=1) > rng.random((size, 1))).argmax(axis=1)
    return Scored(Scores(p, p.max(axis=1), rng.random(size).astype(np.float32)), labels, "by hand", fingerprint * 64)


TUNE, CALIBRATION = _scored(4000, 1, "1"), _scored(4000, 2, "2")


def test_certificates_cover_the_settings_in_order() -> None:
    settings = AbstentionSettings(selective_risk=(0.2, 0.1), reject_cost=(0.5, 0.2), set_coverage=(0.8, 0.9))
    abstention = certify(TUNE, CALIBRATION, tiny.COMPONENTS, settings)
    assert [c.selective_risk for c in abstention.selective_risk] == [0.1, 0.2]
    assert [c.reject_cost for c in abstention.reject_cost] == [0.2, 0.5]
    assert [(s.method, s.set_coverage) for s in abstention.prediction_sets] == [
        ("by_decision", 0.8),
        ("lac", 0.8),
        ("lac_class_conditional", 0.8),
        ("by_decision", 0.9),
        ("lac", 0.9),
        ("lac_class_conditional", 0.9),
    ]


def test_sets_by_decision_are_offered_where_the_cells_are_large_enough() -> None:
    """Of 800 examples no two cells have 1,000 each, so at 0.99 there are none, and `lac` is the default."""
    settings = AbstentionSettings(selective_risk=(0.2, 0.1), default_risk=0.1, set_coverage=(0.99, 0.8))
    prediction_sets = certify(TUNE, _scored(800, 2, "2"), tiny.COMPONENTS, settings).prediction_sets
    assert [(sets.method, sets.set_coverage) for sets in prediction_sets] == [
        ("lac", 0.99),
        ("lac_class_conditional", 0.99),
        ("by_decision", 0.8),
        ("lac", 0.8),
        ("lac_class_conditional", 0.8),
    ]


def test_cells_do_not_depend_on_the_calibration_scores() -> None:
    """They depend only on its size."""
    cuts = [
        [sets.cuts for sets in certify(TUNE, calibration, tiny.COMPONENTS, AbstentionSettings()).prediction_sets]
        for calibration in (CALIBRATION, _scored(4000, 9, "9"))
    ]
    assert cuts[0] == cuts[1]
    assert any(cuts[0])


def test_certificate_counts_what_the_service_would_decide() -> None:
    abstention = certify(TUNE, CALIBRATION, tiny.COMPONENTS, AbstentionSettings())
    for certificate in abstention.selective_risk:
        decisions = decide(CALIBRATION.scores, certificate.policy(), abstention)
        answers = np.array([-1 if d.label is None else d.label for d in decisions])
        answered = answers >= 0
        assert certificate.answered == answered.sum()
        assert certificate.errors == (answers != CALIBRATION.labels)[answered].sum()


def test_gate_follows_its_rank() -> None:
    gate = certify(TUNE, CALIBRATION, tiny.COMPONENTS, AbstentionSettings(false_alarm_rate=0.03)).out_of_distribution
    assert binom.cdf(gate.order_statistic - 2, 4000, 0.97) < 0.95 <= binom.cdf(gate.order_statistic - 1, 4000, 0.97)
    assert (TUNE.scores.ood_score.astype(np.float64) <= gate.threshold).sum() == gate.order_statistic
    assert (gate.false_alarm_rate, gate.asked_false_alarm_rate, gate.confidence_level) == (0.03, 0.03, 0.95)
    assert gate.tune_fingerprint == "1" * 64


@pytest.mark.parametrize(("size", "rank"), [(299, 299), (473, 472), (10_000, 9_917)])
def test_rank_of_the_gate_has_95_percent_confidence(size: int, rank: int) -> None:
    abstention = certify(_scored(size, 1, "1"), CALIBRATION, tiny.COMPONENTS, AbstentionSettings())
    assert abstention.out_of_distribution.order_statistic == rank
    assert abstention.out_of_distribution.false_alarm_rate == 0.01


def test_small_tune_split_promises_the_lowest_possible_rate() -> None:
    gate = certify(_scored(57, 1, "1"), CALIBRATION, tiny.COMPONENTS, AbstentionSettings()).out_of_distribution
    assert (gate.order_statistic, gate.false_alarm_rate, gate.asked_false_alarm_rate) == (57, 0.0512, 0.01)
    assert 1 - 0.9488**57 >= 0.95 > 1 - 0.9489**57


def test_gate_of_groups_is_looser_than_that_of_as_many_independent_rows() -> None:
    """Each row ten times, in 400 groups of ten: worth 400 rows, not 4,000."""
    few = _scored(400, 1, "1")
    often = np.repeat(np.arange(400), 10)
    scores = Scores(few.scores.probabilities[often], few.scores.confidence[often], few.scores.ood_score[often])
    tenfold = replace(few, scores=scores, labels=few.labels[often])
    alone = certify(tenfold, CALIBRATION, tiny.COMPONENTS, AbstentionSettings(false_alarm_rate=0.05))
    grouped = certify(
        replace(tenfold, groups=often), CALIBRATION, tiny.COMPONENTS, AbstentionSettings(false_alarm_rate=0.05), 10
    )
    single = certify(few, CALIBRATION, tiny.COMPONENTS, AbstentionSettings(false_alarm_rate=0.05))
    assert alone.out_of_distribution.threshold < single.out_of_distribution.threshold
    assert single.out_of_distribution.threshold <= grouped.out_of_distribution.threshold


def test_familywise_certificates_share_one_level_and_are_no_laxer() -> None:
    each = certify(TUNE, CALIBRATION, tiny.COMPONENTS, AbstentionSettings())
    together = certify(TUNE, CALIBRATION, tiny.COMPONENTS, AbstentionSettings(familywise=True))
    assert {c.family for c in each.selective_risk} == {1}
    assert {c.family for c in together.selective_risk} == {5}
    certified = [c for c in together.selective_risk if c.status == "certified"]
    assert certified
    for certificate in certified:
        assert certificate.p_value is not None
        assert certificate.p_value <= 0.01 + 1e-15
        assert certificate.risk_bound is not None
        assert certificate.risk_bound <= certificate.selective_risk
    for alone, one_of_five in zip(each.selective_risk, together.selective_risk, strict=True):
        assert (one_of_five.coverage or 0) <= (alone.coverage or 0)


def test_scoring_in_batches_changes_nothing() -> None:
    classifier = load_draft(to_onnx(tiny.MODEL, tiny.manifest()))
    images = np.random.default_rng(0).integers(0, 256, (3000, 1, 2), dtype=np.uint8)
    part = Labelled("by hand", images, np.zeros(3000, dtype=np.int64))
    scored, at_once = score(classifier, part), classifier.scores(images)
    np.testing.assert_array_equal(scored.scores.probabilities, at_once.probabilities)
    np.testing.assert_array_equal(scored.scores.ood_score, at_once.ood_score)
    assert (len(scored), scored.population, scored.fingerprint) == (3000, "by hand", part.fingerprint())


def test_sets_by_class_are_for_few_classes() -> None:
    """With very many classes, most have no example and would be in every set."""
    classes = 1001
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.ones(classes), 300).astype(np.float32)
    many = Scored(Scores(p, p.max(axis=1), rng.random(300).astype(np.float32)), p.argmax(axis=1), "by hand", "3" * 64)
    abstention = certify(many, many, tiny.COMPONENTS, AbstentionSettings())
    assert {sets.method for sets in abstention.prediction_sets} == {"lac"}
