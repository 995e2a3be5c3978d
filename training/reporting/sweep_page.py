"""The report of a sweep as one self-contained HTML page: the ranking, the picture and the best command to type."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from training.reporting.page import environment

_TEMPLATE = "sweep.html.jinja"


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What the page shows, in words."""

    name: str  # of the data
    summary: str  # a sentence
    ranking: Sequence[Sequence[str]]  # the header, then the settings, the best first
    picture: bytes  # a PNG
    command: str | None  # fits with the best settings; None if every run diverged
    notes: Sequence[str] = ()


def sweep_page(report: SweepReport) -> str:
    """The page."""
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            name=report.name,
            summary=report.summary,
            notes=report.notes,
            command=report.command,
            header=report.ranking[0],
            rows=report.ranking[1:],
            picture=base64.b64encode(report.picture).decode(),
        )
    )
