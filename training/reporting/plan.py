"""The plan as text: how much is expected to be answered, by risk and by number of calibration examples."""

from training.certification.capacity import Capacity, labelled_examples
from training.certification.planning import MIN_TUNE_ROWS, Plan
from training.reporting.terminal import table


def too_small(tune: int) -> list[str]:
    """What stands in the place of a plan that tune is too small for."""
    return [
        f"cannot be estimated: tune has {tune:,} examples, and it takes at least {MIN_TUNE_ROWS} that are independent "
        "of one another"
    ]


def as_lines(plan: Plan, have: Capacity, default_risk: float, *, apart: bool) -> list[str]:
    """The table, what it rests on, and what the recommended number takes.

    `apart`: whether calibration examples are from elsewhere than those of tune.
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
    lines = ["per cent answered, by the number of calibration examples; * is the present number"]
    if not plan.possible.all():
        lines.append("-: too few to certify the risk, however good the model")
    if not plan.estimable.all():
        lines.append("?: tune is too small to estimate it")
    if have.largest_group is not None:
        lines.append("the numbers are of examples, not of groups; it takes more groups, not larger ones")
    return lines


def _basis(have: Capacity, *, apart: bool) -> str:
    elsewhere = "; calibration examples are from elsewhere, and where they are harder, fewer are answered"
    return (
        f"This is an estimate from the {have.sizes['tune']:,} tune examples, for a model of the present train split, "
        f"and no promise{elsewhere if apart else ''}. Calibration and report were not looked at."
    )


def _recommendation(plan: Plan, have: Capacity, risk: float) -> str:
    row = plan.risks.index(risk)
    if not plan.estimable[row]:
        return f"Nothing can be said of selective_risk {risk:g}."
    size = plan.recommended(risk)
    if size is None:
        return f"selective_risk {risk:g} is not expected to be certified with any of these numbers."
    expected, most = plan.coverage[row, plan.sizes.index(size)], plan.coverage[row].max()
    more = "" if most <= expected else f" More would answer at most {100 * most:.0f} %."
    return (
        f"For selective_risk {risk:g}, {size:,} calibration examples are enough to answer {100 * expected:.0f} %, "
        f"which takes about {labelled_examples(size, have.sizes):,} labelled examples in all at the present shares of "
        f"the splits ({sum(have.sizes.values()):,} now).{more}"
    )
