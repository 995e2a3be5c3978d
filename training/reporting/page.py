"""The report as one self-contained HTML page: no script, no other file, no network."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.contract.certificates import PredictionSets, RiskTest
from service.contract.manifest import Manifest
from service.inference.decision import ANSWERED
from training.reporting.cautions import doubts, uncertified, worst_class
from training.reporting.evaluation.evaluation import Evaluation
from training.reporting.evaluation.risk_coverage import COVERAGE, RISKS, best_augrc
from training.reporting.numbers import estimate, percent, quotient, round_percent, rounded
from training.reporting.operating_points import name, rows
from training.reporting.pictures.sheet import Picture
from training.reporting.selection import choice_table

_TEMPLATE = "page.html.jinja"
_TESTS: dict[RiskTest, str] = {
    "binomial": "by the exact binomial tail",
    "betting": "by betting",
    "one_row_per_group": "by the exact binomial tail of one random row of each group",
}


def environment() -> Environment:
    """The templates of this folder; what they are given is escaped."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def page(evaluation: Evaluation, pictures: Mapping[str, Picture]) -> str:
    """The page of an evaluation, with `pictures` by file name; after a fit they include `curves.png`."""
    manifest = evaluation.manifest
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            manifest=manifest,
            version=evaluation.version,
            report=manifest.data.splits["report"],
            headline=_headline(evaluation),
            contradictions=evaluation.contradictions,
            cautions=[*uncertified(manifest, evaluation.points), *doubts(manifest)],
            points=rows(manifest, evaluation.points),
            promises=_promises(manifest),
            choice=choice_table(manifest.training.selection),
            worst_class=worst_class(evaluation.classes),
            quality=_quality(manifest),
            curve_metrics=_curve_metrics(evaluation),
            gate=_gate(evaluation),
            strange=_strange(evaluation),
            sets=_sets(evaluation),
            pictures={
                picture.name: {"alt": picture.alt, "base64": base64.b64encode(picture.png).decode()}
                for picture in pictures.values()
            },
        )
    )


def _headline(evaluation: Evaluation) -> dict[str, str | int]:
    default = evaluation.manifest.default_policy
    answered = int((evaluation.outcomes.reasons == ANSWERED).sum())
    errors = sum(c.errors for c in evaluation.classes)
    return {
        "accuracy": percent(evaluation.manifest.metrics.accuracy),
        "policy": name(default),
        "answered": answered,
        "coverage": percent(answered / len(evaluation.report)),
        "risk": percent(quotient(errors, answered)),
    }


def _promises(manifest: Manifest) -> dict[str, Any] | None:
    """The values in the sentences about promises; None where nothing is promised."""
    abstention = manifest.abstention
    if abstention is None:
        return None
    risks = [c for c in abstention.selective_risk if c.status == "certified"]
    costs = [c for c in abstention.reject_cost if c.status == "certified"]
    gate = abstention.out_of_distribution
    evidence = [*abstention.selective_risk, *abstention.reject_cost]
    return {
        "risks": ", ".join(round_percent(c.selective_risk) for c in risks),
        "costs": ", ".join(f"{c.reject_cost:g}" for c in costs),
        "levels": ", ".join(dict.fromkeys(round_percent(c.confidence_level) for c in evidence)),
        "population": manifest.data.splits["calibration"].source,
        "calibration_size": manifest.data.splits["calibration"].size,
        "cost_matrix": abstention.cost_matrix is not None,
        "false_alarm_rate": round_percent(gate.false_alarm_rate),
        "gate_population": gate.population,
        "gate_level": round_percent(gate.confidence_level),
        "familywise": any(c.family > 1 for c in abstention.selective_risk),
        "methods": list(dict.fromkeys(f"{c.method}, {_TESTS[c.test]}" for c in evidence)),
    }


def _quality(manifest: Manifest) -> list[tuple[str, str, str]]:
    """Name, before and after the temperature."""
    after, before = manifest.metrics, manifest.metrics.before_temperature
    fields = [
        ("negative log-likelihood (nats)", "nll"),
        ("Brier score (0 to 2)", "brier"),
        ("expected calibration error, 15 bins of equal width", "ece"),
        ("expected calibration error, 15 bins of equally many inputs", "adaptive_ece"),
    ]
    return [(text, f"{getattr(before, field):.4f}", f"{getattr(after, field):.4f}") for text, field in fields]


def _curve_metrics(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    """Name, value, interval and formula of each risk-coverage metric."""
    best = best_augrc(evaluation.risk_coverage["full_risk"].value)
    texts = {
        "full_risk": ("error rate r of all inputs", "errors / n"),
        "aurc": ("AURC", "sum over g of (n_g / n) E_g / N_g (Geifman et al. 2019)"),
        "e_aurc": ("E-AURC", "AURC - [r + (1 - r) ln(1 - r)]; 0 is a perfect ranking"),
        "augrc": (
            "AUGRC",
            f"sum over g of (n_g / n) E_g / n (Traub et al. 2024); the best is r^2 / 2 = {best:.4f}",
        ),
        **{
            f"coverage_at_risk_{risk:g}": (
                f"coverage at risk {round_percent(risk)}",
                "the largest coverage over all thresholds with at most that selective risk; known only afterwards",
            )
            for risk in RISKS
        },
        f"risk_at_coverage_{COVERAGE:g}": (
            f"risk at coverage {round_percent(COVERAGE)}",
            "selective risk at the highest threshold with at least that coverage",
        ),
    }
    return [(texts[key][0], *estimate(value), texts[key][1]) for key, value in evaluation.risk_coverage.items()]


def _gate(evaluation: Evaluation) -> dict[str, str] | None:
    abstention, alarms = evaluation.manifest.abstention, evaluation.false_alarms
    if abstention is None or alarms is None:
        return None
    gate = abstention.out_of_distribution
    return {
        "threshold": f"{gate.threshold:.4f}",
        "method": gate.method,
        "promised": round_percent(gate.false_alarm_rate),
        "measured": f"{alarms} of {len(evaluation.report)}, {percent(alarms / len(evaluation.report), 2)}",
    }


def _strange(evaluation: Evaluation) -> list[dict[str, str]]:
    return [
        {
            "name": strange.name,
            "size": str(len(strange.inputs)),
            "flagged": percent(strange.flagged, 2),
            "answered": percent(strange.answered, 2),
            "auroc": f"{strange.by_ood_score.auroc:.4f}",
            "fpr95": percent(strange.by_ood_score.fpr95, 2),
            "confidence_auroc": f"{strange.by_confidence.auroc:.4f}",
            "confidence_fpr95": percent(strange.by_confidence.fpr95, 2),
        }
        for strange in evaluation.strange
    ]


def _sets(evaluation: Evaluation) -> list[dict[str, str]]:
    return [
        {
            "promise": f"{round_percent(sets.promise.set_coverage)} {_coverage_of(sets.promise)}",
            "method": sets.promise.method,
            "set_coverage": percent(sets.set_coverage),
            "answered": percent(sets.answered_coverage),
            "abstained": percent(sets.abstained_coverage),
            "mean_size": rounded(sets.mean_size),
            "abstained_mean_size": rounded(sets.abstained_mean_size),
            "singletons": percent(sets.singletons),
            "least": f"{percent(sets.least_coverage)} ({sets.least_label})",
        }
        for sets in evaluation.prediction_sets
    ]


def _coverage_of(promise: PredictionSets) -> str:
    match promise.method:
        case "by_decision":
            return "of the answered and of the abstained"
        case "lac":
            return "of all"
        case "lac_class_conditional":
            return "of each class"
