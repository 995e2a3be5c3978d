"""The report of a sweep as one self-contained HTML page: the ranking, the picture and the command of the best."""

import base64
from collections.abc import Sequence

from training.reporting.page import environment

_TEMPLATE = "sweep.html.jinja"


def sweep_page(summary: str, ranking: Sequence[Sequence[str]], picture: bytes, command: str, notes: Sequence[str]) -> str:
    """The page. `ranking` has its header first; `command` is the one to type for the best settings."""
    return (
        environment()
        .get_template(_TEMPLATE)
        .render(
            summary=summary,
            header=ranking[0],
            rows=ranking[1:],
            picture=base64.b64encode(picture).decode(),
            command=command,
            notes=notes,
        )
    )
