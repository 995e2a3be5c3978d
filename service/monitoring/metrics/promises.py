"""Prometheus families of the promises: decisions, certificates, feedback and drift."""

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.contract.certificates import CostCertificate, RiskCertificate
from service.contract.policy import Policy
from service.inference.decision import ANSWER, possible_reasons
from service.monitoring.feedback.counts import Totals
from service.monitoring.feedback.judging import CONFIDENCE_LEVEL
from service.monitoring.feedback.schema import PolicyFeedback
from service.monitoring.metrics.metrics import DECISIONS, policy_name
from service.monitoring.metrics.scrape import Scrape
from service.monitoring.metrics.tallies import Numbers
from service.monitoring.monitor import Monitor

_POLICY_LABELS = ["model", "policy"]
_CONFIDENTLY = f", at all times at once, at the certificate's confidence level, or {CONFIDENCE_LEVEL} without one"


def promises(scrape: Scrape, monitors: list[Monitor], counted: Numbers) -> Iterator[Metric]:
    """All families, each name once."""
    yield from _decisions(monitors, counted)
    feedback = {monitor.model.name: _by_policy(monitor) for monitor in monitors}
    yield from _certificates(monitors, feedback)
    yield from _feedback(monitors, feedback)
    yield from _drift(scrape, monitors)


def _decisions(monitors: list[Monitor], counted: Numbers) -> Iterator[Metric]:
    """Decisions by policy. Those of offered policies start at 0, since Prometheus sees no rise from absent to 1."""
    counts = {key[1:]: numbers[0] for key, numbers in counted.items() if key[0] == DECISIONS}
    for monitor in monitors:
        for policy in _offered(monitor):
            for decision in (ANSWER, *possible_reasons(policy)):
                counts.setdefault((monitor.model.name, policy_name(policy), decision), 0)
    decisions = CounterMetricFamily(
        "demur_decisions",
        "Inputs by decision: answer, or the reason for the abstention.",
        labels=[*_POLICY_LABELS, "decision"],
    )
    inputs: dict[str, float] = {}
    for labels, count in sorted(counts.items()):
        decisions.add_metric(labels, count)
        inputs[labels[0]] = inputs.get(labels[0], 0) + count
    by_model = CounterMetricFamily("demur_inputs", "Inputs that got a decision.", labels=["model"])
    for name, count in inputs.items():
        by_model.add_metric([name], count)
    yield by_model
    yield decisions


def _offered(monitor: Monitor) -> list[Policy]:
    """The default policy, and those with a certificate."""
    return [monitor.default_policy, *(certificate.policy() for certificate in _certificates_of(monitor))]


def _certificates_of(monitor: Monitor) -> list[RiskCertificate | CostCertificate]:
    abstention = monitor.manifest.abstention
    return [] if abstention is None else [*abstention.selective_risk, *abstention.reject_cost]


def _by_policy(monitor: Monitor) -> dict[str, PolicyFeedback]:
    """The state of each policy with feedback, except thresholds."""
    return {policy_name(state.policy): state for state in monitor.feedback.states(made_up=False)}


def _certificates(monitors: list[Monitor], feedback: dict[str, dict[str, PolicyFeedback]]) -> Iterator[Metric]:
    promise = GaugeMetricFamily(
        "demur_certificate_promise",
        "Highest selective risk, or mean cost of an answer, that the certificate allows.",
        labels=_POLICY_LABELS,
    )
    coverage = GaugeMetricFamily(
        "demur_certificate_coverage_ratio",
        "Share of the calibration split that the policy answers.",
        labels=_POLICY_LABELS,
    )
    holds = GaugeMetricFamily(
        "demur_certificate_holds", "0 once feedback has refuted the certificate, else 1.", labels=_POLICY_LABELS
    )
    for monitor in monitors:
        for certificate in _certificates_of(monitor):
            if certificate.status == "infeasible" or certificate.coverage is None:
                continue
            labels = [monitor.model.name, policy_name(certificate.policy())]
            state = feedback[monitor.model.name].get(labels[1])
            promise.add_metric(labels, _promised(certificate))
            coverage.add_metric(labels, certificate.coverage)
            holds.add_metric(labels, int(state is None or state.promise != "broken"))
    yield from (promise, coverage, holds)


def _promised(certificate: RiskCertificate | CostCertificate) -> float:
    return certificate.selective_risk if isinstance(certificate, RiskCertificate) else certificate.reject_cost


class _FeedbackFamilies(NamedTuple):
    answers: CounterMetricFamily
    errors: CounterMetricFamily
    abstentions: CounterMetricFamily
    judged: CounterMetricFamily
    missing: CounterMetricFamily
    risk: GaugeMetricFamily
    risk_lower: GaugeMetricFamily
    risk_upper: GaugeMetricFamily
    cost: GaugeMetricFamily


def _feedback(monitors: list[Monitor], feedback: dict[str, dict[str, PolicyFeedback]]) -> Iterator[Metric]:
    families = _FeedbackFamilies(
        CounterMetricFamily("demur_feedback_answers", "Answers with a true label.", labels=_POLICY_LABELS),
        CounterMetricFamily(
            "demur_feedback_errors", "Wrong answers among those with a true label.", labels=_POLICY_LABELS
        ),
        CounterMetricFamily("demur_feedback_abstentions", "Abstentions with a true label.", labels=_POLICY_LABELS),
        CounterMetricFamily("demur_feedback_judged", "Answers that the risk is estimated from.", labels=_POLICY_LABELS),
        CounterMetricFamily("demur_feedback_missing", "Judged answers without a label.", labels=_POLICY_LABELS),
        GaugeMetricFamily(
            "demur_feedback_risk_ratio",
            "Share of wrong answers among the judged ones with a label.",
            labels=_POLICY_LABELS,
        ),
        GaugeMetricFamily(
            "demur_feedback_risk_lower_bound_ratio",
            f"Lower bound of the risk{_CONFIDENTLY}.",
            labels=_POLICY_LABELS,
        ),
        GaugeMetricFamily(
            "demur_feedback_risk_upper_bound_ratio",
            f"Upper bound of the risk{_CONFIDENTLY}.",
            labels=_POLICY_LABELS,
        ),
        GaugeMetricFamily(
            "demur_feedback_answer_cost", "Mean cost of a judged answer with a label.", labels=_POLICY_LABELS
        ),
    )
    for monitor in monitors:
        for name, state in feedback[monitor.model.name].items():
            labels = [monitor.model.name, name]
            counts = (state.answered, state.errors, state.abstained, state.judged, state.missing)
            _count(families, labels, Totals(*counts))
            if state.selective_risk is not None:
                families.risk.add_metric(labels, state.selective_risk)
                families.risk_lower.add_metric(labels, state.risk_lower_bound)
                families.risk_upper.add_metric(labels, state.risk_upper_bound)
            if state.answer_cost is not None:
                families.cost.add_metric(labels, state.answer_cost)
        thresholds = monitor.feedback.of_thresholds()
        if any(thresholds):
            _count(families, [monitor.model.name, "threshold"], thresholds)
    yield from families


def _count(families: _FeedbackFamilies, labels: list[str], counts: Totals) -> None:
    families.answers.add_metric(labels, counts.answered)
    families.errors.add_metric(labels, counts.errors)
    families.abstentions.add_metric(labels, counts.abstained)
    families.judged.add_metric(labels, counts.judged)
    families.missing.add_metric(labels, counts.missing)


def _drift(scrape: Scrape, monitors: list[Monitor]) -> Iterator[Metric]:
    inputs = GaugeMetricFamily("demur_drift_inputs", "Inputs in the last complete window.", labels=["model"])
    labels = ["model", "statistic"]
    psi = GaugeMetricFamily("demur_drift_psi", "Population stability index; 0 for equal distributions.", labels=labels)
    p_value = GaugeMetricFamily(
        "demur_drift_p_value", "Probability of a difference this large by chance.", labels=labels
    )
    drifted = GaugeMetricFamily("demur_drift_drifted", "1 if /drift reports drifted, else 0.", labels=labels)
    for state in scrape.drift(monitors):
        inputs.add_metric([state.model.name], state.inputs)
        for statistic, verdict in (
            ("labels", state.labels),
            ("confidence", state.confidence),
            ("ood_score", state.ood_score),
        ):
            values = [state.model.name, statistic]
            drifted.add_metric(values, int(verdict.status == "drifted"))
            if verdict.psi is not None and verdict.p_value is not None:
                psi.add_metric(values, verdict.psi)
                p_value.add_metric(values, verdict.p_value)
    yield from (inputs, psi, p_value, drifted)
