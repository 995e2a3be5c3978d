"""Interleaved rounds and their ratios."""

from benchmarks.serving.rounds import Spread, interleaved, ratios


def test_each_round_starts_with_another_server() -> None:
    order: list[str] = []
    measurements = interleaved(["a", "b", "c"], 4, lambda each: order.append(each) or len(order))  # type: ignore[func-returns-value]
    assert "".join(order) == "abcbcacababc"
    assert measurements == {"a": [1, 6, 8, 10], "b": [2, 4, 9, 11], "c": [3, 5, 7, 12]}


def test_round_that_is_slow_for_all_does_not_change_the_ratio() -> None:
    assert ratios([30, 3, 30, 27], [60, 6, 60, 60]) == Spread(0.5, 0.45, 0.5)
    assert Spread.of([30, 3, 30]).median / Spread.of([60, 60, 6]).median == 0.5  # ignores the pairs
    assert ratios([30, 3, 30], [60, 60, 6]) == Spread(0.5, 0.05, 5)
