"""`python -m benchmarks.serving.table [build/bench/peers.json]`: the table and picture of serving, from JSON.

A given file from `make bench-peers` becomes `docs/benchmarks/serving.json`. From that file, the table in
`docs/performance.md` and `docs/pictures/serving.png` are regenerated.
"""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.serving.chart import draw
from benchmarks.serving.rounds import Spread, ratios

_ROOT = Path(__file__).parents[2]
STORED = _ROOT / "docs" / "benchmarks" / "serving.json"
PAGE = _ROOT / "docs" / "performance.md"
PICTURE = _ROOT / "docs" / "pictures" / "serving.png"
_ANSWER_NOTHING = frozenset({"limit", "limit-demur-json", "starlette", "fastapi"})
START, END = "<!-- from docs/benchmarks/serving.json -->\n", "<!-- end -->\n"


def ordered(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The servers, the slowest first."""
    return sorted(document["servers"], key=lambda server: Spread.of(server["requests_per_second"]).median)


def title(server: dict[str, Any]) -> str:
    """Its title, with the version if it is another project's package."""
    name, comma, rest = server["title"].partition(",")
    version = next(iter(server["versions"].values()), "")
    return f"{name} {version}{comma}{rest}" if version else server["title"]


def block(document: dict[str, Any]) -> str:
    """The text between the marks of the page: a sentence and the table."""
    ours = next(s["requests_per_second"] for s in document["servers"] if s["name"] == "demur-json")
    limit = next(s["requests_per_second"] for s in document["servers"] if s["name"] == "limit-demur-json")
    lines = [
        f"Requests/s, median of {document['rounds']} rounds in turn (smallest to largest); one worker on one core, wrk "
        f"with {document['connections']}",
        f"connections on the other; {document['hardware']} (`make bench-peers`):",
        "",
        "| server | requests/s | of the limit | Demur gets through |",
        "|---|---|---|---|",
    ]
    for server in ordered(document):
        rates = server["requests_per_second"]
        name, times = title(server), ""
        if server["name"] == "demur-json":
            name = f"**{name}**"
        elif server["name"] not in _ANSWER_NOTHING:
            times = f"{ratios(ours, rates).median:.1f} times as many"
        share = ratios(rates, limit).median
        lines.append(f"| {name} | {Spread.of(rates).shown(',.0f')} | {share:.3f} | {times} |")
    return "\n".join(lines) + "\n"


def written(page: str, document: dict[str, Any]) -> str:
    """The page with that block. Raises ValueError if it has no place for one."""
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"performance.md has no {START.strip()} ... {END.strip()}")
    return before + start + block(document) + end + after


def main() -> None:
    """Store, write and draw."""
    if sys.argv[1:]:
        STORED.parent.mkdir(exist_ok=True)
        STORED.write_text(Path(sys.argv[1]).read_text())
    document = json.loads(STORED.read_text())
    PAGE.write_text(written(PAGE.read_text(), document))
    bars = [(title(s), s["name"], Spread.of(s["requests_per_second"])) for s in ordered(document)]
    PICTURE.write_bytes(draw(bars, document["hardware"]))


if __name__ == "__main__":
    main()
