"""Counts the results of requests, and prints them as a table."""

import json
from collections import Counter
from dataclasses import dataclass, field

from tests.soak.connection import Answer

_MAX_SHOWN = 10


@dataclass(slots=True)
class Counts:
    """The results of one kind of client."""

    sent: int = 0
    answered: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by status and reason
    cut_off: int = 0  # by the service, as bad clients deserve
    wrong: int = 0
    lost: int = 0


class Tally:
    """The results of all clients, and the first faults in words."""

    def __init__(self) -> None:
        self.by_client: dict[str, Counts] = {}
        self.faults: list[str] = []

    def client(self, name: str) -> Counts:
        """The counts of one kind of client."""
        return self.by_client.setdefault(name, Counts())

    def wrong(self, counts: Counts, what: str) -> None:
        """Count a wrong answer."""
        counts.wrong += 1
        self.note(f"wrong: {what}")

    def lost(self, counts: Counts, what: str) -> None:
        """Count a request without an answer."""
        counts.lost += 1
        self.note(f"lost: {what}")

    def errors_in(self, log: list[str]) -> None:
        """Note the lines of a service's log that report a fault of its own."""
        for line in log:
            if '"level":"error"' in line or "Traceback" in line:
                self.note(f"in the log: {line[:500]}")

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong or lost, and something was answered."""
        return not self.faults and any(counts.answered for counts in self.by_client.values())

    def note(self, text: str) -> None:
        """Record a fault in words, up to a maximum."""
        if len(self.faults) < _MAX_SHOWN:
            self.faults.append(text)

    def table(self) -> str:
        """The results as a Markdown table."""
        lines = ["| clients | sent | answered | refused | cut off | wrong | lost |", "|---|---|---|---|---|---|---|"]
        for name, counts in self.by_client.items():
            refused = "; ".join(f"{number:,} times {reason}" for reason, number in counts.refused.most_common()) or "0"
            figures = f"{counts.cut_off:,} | {counts.wrong:,} | {counts.lost:,}"
            lines.append(f"| {name} | {counts.sent:,} | {counts.answered:,} | {refused} | {figures} |")
        return "\n".join([*lines, *self.faults])


def reason_of(answer: Answer) -> str:
    """The status and title of a refusal.

    >>> reason_of(Answer(404, {}, b'{"title": "Not Found"}')), reason_of(Answer(400, {}, b"<html>"))
    ('404 Not Found', '400')
    """
    try:
        title = json.loads(answer.body).get("title", "")
    except (ValueError, AttributeError):
        title = ""
    return f"{answer.status} {title}".strip()
