"""The cost of answers, by hand."""

import numpy as np
import pytest

from service.contract.certificates import CostCertificate
from service.inference.classifier import Scores
from training.certification.reject_cost import certify, realised_cost
from training.certification.samples import GatedSplit
from training.certification.scored import Scored
from training.certification.tails import clopper_pearson_upper

SURE, TORN = [0.95, 0.05], [0.5, 0.5]


def _scored(rows: list[tuple[list[float], int, int]]) -> Scored:
    """Rows of (probabilities, true label, how often)."""
    p = np.repeat(np.array([row[0] for row in rows], dtype=np.float32), [row[2] for row in rows], axis=0)
    labels = np.repeat([row[1] for row in rows], [row[2] for row in rows])
    return Scored(Scores(p, p.max(axis=1), np.zeros(len(p), np.float32)), labels, "by hand", "0" * 64)


def _certify(scored: Scored, matrix: tuple[tuple[float, ...], ...] | None, reject_cost: float) -> CostCertificate:
    side = GatedSplit.of_split(scored, np.ones(len(scored), dtype=bool), 1)
    return certify(side, side, matrix, reject_cost, 0.95)


def test_realised_cost_is_one_for_an_error_unless_a_matrix_says_otherwise() -> None:
    answers, labels = np.array([0, 1, 1]), np.array([0, 0, 1])
    assert realised_cost(answers, labels, None).tolist() == [0, 1, 0]
    assert realised_cost(answers, labels, ((0.0, 9.0), (4.0, 0.5))).tolist() == [0, 4, 0.5]


def test_certificate_counts_what_the_answers_cost() -> None:
    """100 sure answers, 2 of them wrong, and 50 uncertain inputs that abstain at a reject cost of 0.1."""
    scored = _scored([(SURE, 0, 98), (SURE, 1, 2), (TORN, 0, 25), (TORN, 1, 25)])
    certificate = _certify(scored, None, 0.1)
    assert certificate.status == "certified"
    assert (certificate.answered, certificate.coverage) == (100, 100 / 150)
    assert certificate.answer_cost == pytest.approx(0.02)
    assert certificate.answer_cost_bound == clopper_pearson_upper(2, 100, 0.95)
    assert certificate.expected_cost == pytest.approx((2 + 50 * 0.1) / 150)


def test_wrong_probabilities_are_detected() -> None:
    """With confidence 0.95 and half of the answers wrong, Chow's rule answers, but nothing is certified."""
    scored = _scored([(SURE, 0, 100), (SURE, 1, 100)])
    certificate = _certify(scored, None, 0.1)
    assert certificate.status == "infeasible"
    assert certificate.answer_cost == 0.5


def test_nothing_answered_is_infeasible() -> None:
    scored = _scored([(TORN, 0, 50)])
    certificate = _certify(scored, None, 0.1)
    assert (certificate.status, certificate.answered, certificate.answer_cost) == ("infeasible", 0, None)
    assert certificate.expected_cost == pytest.approx(0.1)


def test_matrix_costs_are_bounded_in_the_unit_of_the_matrix() -> None:
    matrix = ((0.0, 20.0), (1.0, 0.0))
    # Answer 0 costs 0.05 * 20 = 1 on average, answer 1 costs 0.95: the answer is 1, mostly wrong and cheap.
    scored = _scored([(SURE, 0, 950), (SURE, 1, 50)])
    certificate = _certify(scored, matrix, 3.0)
    assert certificate.status == "certified"
    assert certificate.answer_cost == pytest.approx(0.95)
    assert 0.95 < certificate.answer_cost_bound < 3.0
    strict = _certify(scored, matrix, 0.951)
    assert strict.status == "infeasible"


@pytest.mark.parametrize(("errors", "status"), [(4, "certified"), (5, "infeasible")])
def test_cost_is_certified_up_to_the_last_error_that_the_level_allows(errors: int, status: str) -> None:
    """P(Bin(100, 0.1) <= 4) is 0.024, and of <= 5 it is 0.058."""
    scored = _scored([(SURE, 0, 100 - errors), (SURE, 1, errors)])
    assert _certify(scored, None, 0.1).status == status


@pytest.mark.parametrize("reject_cost", [1.0, 2.0])
def test_answers_never_dearer_than_abstaining_are_certified(reject_cost: float) -> None:
    """An error costs 1, so this holds for any probabilities."""
    certificate = _certify(_scored([(SURE, 0, 10), (TORN, 1, 10)]), None, reject_cost)
    assert (certificate.status, certificate.answered, certificate.p_value) == ("certified", 20, 0.0)
    assert certificate.answer_cost_bound <= reject_cost
