"""How the recipe `auto` chose the settings, in words."""

from dataclasses import dataclass

from service.contract.training import Selection, Tried
from training.reporting.terminal import in_words


def choice_in_words(selection: Selection | None) -> list[str]:
    """What was chosen and what came second, a line each.

    >>> tried = lambda lift, loss: Tried(lift=lift, augment="none", weight_decay=0.1, loss=loss, standard_error=0.002)
    >>> choice_in_words(Selection(method="tune", rows=900, tried=[tried(0, 0.40), tried(32, 0.31)], chosen=1))[0]
    'products of 32 coordinates, weight decay 0.1: loss 0.3100 on 900 tune rows'
    >>> choice_in_words(Selection(method="tune", rows=900, tried=[tried(0, 0.40), tried(32, 0.31)], chosen=1))[1]
    'second: the features alone, weight decay 0.1: loss 0.4000, higher by 0.0900 (standard error 0.0020)'
    """
    if selection is None:
        return []
    chosen = selection.tried[selection.chosen]
    rows = (
        f"{selection.rows:,} tune rows"
        if selection.method == "tune"
        else f"{selection.rows:,} rows of train and tune by cross-validation"
    )
    lines = [f"{_settings(chosen)}: loss {_loss(chosen)} on {rows}"]
    others = [
        tried
        for i, tried in enumerate(selection.tried)
        if i != selection.chosen and tried.loss is not None and not tried.short
    ]
    if others and chosen.loss is not None:
        second = min(others, key=lambda tried: tried.loss or 0.0)
        difference = (second.loss or 0.0) - chosen.loss
        error = "" if second.standard_error is None else f" (standard error {second.standard_error:.4f})"
        order = "higher" if difference >= 0 else "lower"
        lines.append(f"second: {_settings(second)}: loss {_loss(second)}, {order} by {abs(difference):.4f}{error}")
    return lines


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of tried settings."""

    form: str
    weight_decay: str
    loss: str
    difference: str  # from the chosen settings, with its standard error
    chosen: bool


def choice_table(selection: Selection | None) -> list[Row]:
    """All settings that were tried, in their order.

    >>> tried = lambda lift, loss: Tried(lift=lift, augment="none", weight_decay=0.1, loss=loss, standard_error=0.002)
    >>> selection = Selection(method="tune", rows=900, tried=[tried(0, 0.40), tried(32, 0.31)], chosen=1)
    >>> [(row.form, row.loss, row.difference, row.chosen) for row in choice_table(selection)]
    [('the features alone', '0.4000', '+0.0900 (0.0020)', False), ('products of 32 coordinates', '0.3100', '', True)]
    """
    if selection is None:
        return []
    best = selection.tried[selection.chosen]
    return [
        Row(
            form=in_words(tried.lift, tried.augment, tried.short),
            weight_decay=f"{tried.weight_decay:g}",
            loss=_loss(tried),
            difference="" if tried is best else _difference(tried, best),
            chosen=tried is best,
        )
        for tried in selection.tried
    ]


def _difference(tried: Tried, best: Tried) -> str:
    if tried.loss is None or best.loss is None:
        return ""
    error = "" if tried.standard_error is None else f" ({tried.standard_error:.4f})"
    return f"{tried.loss - best.loss:+.4f}{error}"


def _settings(tried: Tried) -> str:
    return f"{in_words(tried.lift, tried.augment)}, weight decay {tried.weight_decay:g}"


def _loss(tried: Tried) -> str:
    return "not finite" if tried.loss is None else f"{tried.loss:.4f}"
