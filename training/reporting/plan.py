"""The plan as text: expected coverage by risk and by number of calibration examples."""

from training.certification.capacity import Capacity, labelled_examples
from training.certification.planning import MIN_TUNE_ROWS, Plan
from training.reporting.terminal import table


def too_small(tune: int) -> list[str]:
    """The text in place of a plan where tune is too small."""
    return [
        f"cannot be estimated: tune has {tune:,} examples, and it takes at least {MIN_TUNE_ROWS} that are independent "
        "of one another"
    ]


def as_lines(plan: Plan, have: Capacity, default_risk: float, *, apart: bool) -> list[str]:
    """The table, its basis, and the recommended number of examples.

    `apart`: whether calibration examples have another source than those of tune.
    """
    return [
        *_table(plan, have.calibration).splitlines(),
        "",
        *_legend(plan, have),
        _basis(have, apart=apart),
        _recommendation(plan, have, default_risk),
    ]


def _table(plan: Plan, now: int) -> str:
    header = ["selective_risk", *(f"{size:,}{'*' if size == now else ''}" for size in plan.sizes)]
    rows = [
        [f"{risk:g}", *(_cell(plan, row, column) for column in range(len(plan.sizes)))]
        for row, risk in enumerate(plan.risks)
    ]
    return table([header, *rows])


def _cell(plan: Plan, row: int, column: int) -> str:
    if not plan.possible[row, column]:
        return "-"
    return f"{100 * plan.coverage[row, column]:.0f}" if plan.estimable[row] else "?"


def _legend(plan: Plan, have: Capacity) -> list[str]:
    lines = ["coverage in per cent, by the number of calibration examples; * is the current number"]
    if not plan.possible.all():
        lines.append("-: too few to certify the risk, however good the model")
    if not plan.estimable.all():
        lines.append("?: tune is too small to estimate it")
    if have.largest_group is not None:
        lines.append("the numbers count examples, not groups; more groups are needed, not larger ones")
    return lines


def _basis(have: Capacity, *, apart: bool) -> str:
    elsewhere = "; calibration examples have another source, and where they are harder, coverage is lower"
    return (
        f"This is an estimate from the {have.sizes['tune']:,} tune examples, for a model of the current train split, "
        f"and no promise{elsewhere if apart else ''}. Calibration and report were not used."
    )


def _recommendation(plan: Plan, have: Capacity, risk: float) -> str:
    row = plan.risks.index(risk)
    if not plan.estimable[row]:
        return f"There is no estimate for selective_risk {risk:g}."
    size = plan.recommended(risk)
    if size is None:
        return f"selective_risk {risk:g} is not expected to be certified with any of these numbers."
    expected, highest = plan.coverage[row, plan.sizes.index(size)], plan.coverage[row].max()
    more = "" if highest <= expected else f" More examples reach at most {100 * highest:.0f} %."
    return (
        f"For selective_risk {risk:g}, {size:,} calibration examples are enough for a coverage of "
        f"{100 * expected:.0f} %. At the current shares of the splits that is about "
        f"{labelled_examples(size, have.sizes):,} labelled examples in all ({sum(have.sizes.values()):,} now).{more}"
    )
