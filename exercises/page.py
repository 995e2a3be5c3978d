"""Writes an exercise's page: its text with the measured numbers, its pictures, and the numbers as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exercises.exercise import Exercise, Findings
from exercises.numbers import FILTERS
from service.contract.files import publish
from training.reporting.hardware import processor
from training.reporting.pictures.sheet import as_png


def write(exercise: Exercise, findings: Findings, folder: Path, *, quick: bool = False) -> None:
    """Write `NAME.md`, `NAME.json` and the pictures into `folder`, each completely or not at all.

    A `quick` run writes no `NAME.md`, since it measures only a part of the page's numbers.
    """
    measured = {"values": findings.values, "costs": findings.costs, "machine": machine()}
    # The text is generated from the numbers read back, so that page and file agree.
    content = json.dumps(measured, indent=2) + "\n"
    for name, figure in findings.pictures.items():
        publish(as_png(figure), folder / f"{name}.png", lambda _: None)
    publish(content.encode(), folder / f"{exercise.name}.json", lambda _: None)
    if not quick:
        publish(text(exercise, json.loads(content)).encode(), folder / f"{exercise.name}.md", lambda _: None)


def text(exercise: Exercise, measured: Mapping[str, Any]) -> str:
    """The page in Markdown. `measured` is what `NAME.json` holds: values, costs and machine."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"),
        autoescape=False,  # Markdown without user input
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS | {"folded": folded}
    template = environment.get_template(f"{exercise.name}.md.jinja")
    return template.render(question=exercise.question, name=exercise.name, **measured)


def machine() -> str:
    """The machine of the measurement."""
    cores = torch.get_num_threads()
    return f"{processor()}, {cores} thread{'s' if cores > 1 else ''}, torch {torch.__version__.split('+')[0]}"


def folded(value: Any, width: int = 116, indent: int = 0) -> str:
    """JSON in lines of at most `width` characters where possible.

    >>> print(folded({"label": "(", "top_k": [{"label": "(", "probability": 0.75}]}, width=50))
    {"label": "(",
     "top_k": [{"label": "(", "probability": 0.75}]}
    """
    short = json.dumps(value, ensure_ascii=False)
    if indent + len(short) <= width or not isinstance(value, dict | list):
        return short
    inner = indent + 1
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {folded(item, width, inner)}" for key, item in value.items()]
        opening, closing = "{}"
    else:
        parts = [folded(item, width, inner) for item in value]
        opening, closing = "[]"
    return opening + f",\n{' ' * inner}".join(parts) + closing
