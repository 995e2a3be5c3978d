"""`demur evaluate`: measures a published model on its report split."""

import argparse
from collections.abc import Callable

from service.contract.errors import ModelError
from service.contract.files import make_writable
from service.inference.classifier import Classifier
from training.cli import data_options, outputs
from training.data.model_options import completed
from training.data.opening import load
from training.errors import TrainingError
from training.reporting import cautions, operating_points
from training.reporting.cautions import worst_class
from training.reporting.evaluation.evaluation import Evaluation, check_stated, evaluate
from training.reporting.evaluation.reproduce import reproduce
from training.reporting.files import write_evaluation
from training.reporting.numbers import percent, rounded
from training.reporting.terminal import table

Log = Callable[[str], None]


def run_evaluate(options: argparse.Namespace, print_result: Log, log: Log) -> None:
    """Run the command. `print_result` gets the result, `log` the progress. Raises TrainingError."""
    outputs.check(options)
    try:
        classifier = Classifier.load(options.model)
    except ModelError as error:
        raise TrainingError(str(error)) from None
    if options.report_dir is not None:
        make_writable(options.report_dir)
    data = data_options.options(options, options.data)
    dataset = load(data and completed(data, classifier.manifest), options.data_dir, log)
    evaluation = evaluate(classifier, reproduce(classifier.manifest, dataset))
    check_stated(evaluation)
    print_result(table(_summary(evaluation)))
    print_result("\n" + operating_points.as_text(evaluation.manifest, evaluation.points))
    for line in cautions.as_lines(evaluation.manifest, evaluation.points, evaluation.contradictions):
        print_result(f"\n{line}")
    if options.report_dir is not None:
        write_evaluation(options.report_dir, evaluation)


def _summary(evaluation: Evaluation) -> list[tuple[str, str]]:
    manifest, areas = evaluation.manifest, evaluation.risk_coverage
    metrics, report = manifest.metrics, manifest.data.splits["report"]
    worst = worst_class(evaluation.classes)
    held_out = "held out" if manifest.data.report_is_held_out else "not held out: also used as tune, as in the chapter"
    lift = f", quadratic lift of {manifest.lift.components} components" if manifest.lift else ""
    return [
        ("model", f"{manifest.name} {evaluation.version}, recipe {manifest.training.recipe}{lift}"),
        ("report", f"{report.size} of {report.source}, {held_out}"),
        ("quality", f"accuracy {metrics.accuracy:.4f}, loss {metrics.nll:.4f}, calibration error {metrics.ece:.4f}"),
        (
            "ranking",
            f"AURC {areas['aurc'].value:.4f}, E-AURC {areas['e_aurc'].value:.4f}, AUGRC {areas['augrc'].value:.4f}",
        ),
        *([("worst class", worst)] if worst else []),
        *_gate(evaluation),
        *(
            (
                "sets",
                f"{sets.promise.method} {sets.promise.set_coverage:g}: set coverage {percent(sets.set_coverage)}, "
                f"answered {percent(sets.answered_coverage)}, abstained {percent(sets.abstained_coverage)}, "
                f"least {percent(sets.least_coverage)} ({sets.least_label}), "
                f"mean size {rounded(sets.mean_size)}, abstained {rounded(sets.abstained_mean_size)}",
            )
            for sets in evaluation.prediction_sets
        ),
    ]


def _gate(evaluation: Evaluation) -> list[tuple[str, str]]:
    if evaluation.false_alarms is None:
        return []
    least = min(evaluation.strange, key=lambda strange: strange.flagged)
    return [
        (
            "gate",
            f"flags {percent(evaluation.false_alarms / len(evaluation.report), 2)} of the report inputs, and of "
            f"each strange set at least {percent(least.flagged, 2)} ({least.name})",
        )
    ]
