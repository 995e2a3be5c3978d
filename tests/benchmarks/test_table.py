"""The serving table in docs/performance.md matches the stored measurement."""

import json

import pytest

from benchmarks.serving import table
from benchmarks.serving.rounds import Spread

DOCUMENT = json.loads(table.STORED.read_text())


def test_page_has_the_table_of_the_stored_measurement() -> None:
    page = table.PAGE.read_text()
    assert table.block(DOCUMENT) in page
    assert table.written(page, DOCUMENT) == page


def test_every_server_has_a_row_and_the_slowest_comes_first() -> None:
    rows = [line for line in table.block(DOCUMENT).splitlines() if line.startswith("|")][2:]
    assert len(rows) == len(DOCUMENT["servers"])
    medians = [float(row.split("|")[2].split()[0].replace(",", "")) for row in rows]
    assert medians == sorted(medians)
    peers = {"KServe", "MLServer", "BentoML", "LitServe", "Ray Serve"}
    assert all(any(row.startswith(f"| {peer} ") for row in rows) for peer in peers)


def test_stored_shares_follow_from_the_stored_rates() -> None:
    rates = {server["name"]: server["requests_per_second"] for server in DOCUMENT["servers"]}
    limit = rates["limit-demur-json"]
    for server in DOCUMENT["servers"]:
        shares = [one / other for one, other in zip(rates[server["name"]], limit, strict=True)]
        assert server["of_the_limit"] == pytest.approx(Spread.of(shares).median)


def test_page_without_markers_is_rejected() -> None:
    with pytest.raises(ValueError, match="performance"):
        table.written("# Demur\n", DOCUMENT)
