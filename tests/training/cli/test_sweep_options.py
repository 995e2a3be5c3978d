"""The options of a sweep and the combinations that they describe."""

import argparse
import itertools

import pytest

from service.contract.option_values import positive, positive_int
from training.cli import parser, sweep_options
from training.cli.values import several, share
from training.errors import TrainingError
from training.fitting.recipes import CHAPTER, TUNED, FitSettings, combinations


def _grid(*options: str) -> list[FitSettings]:
    return sweep_options.grid(parser.parser().parse_args(["sweep", *options]), 50_000)


def test_range_is_geometric_from_end_to_end() -> None:
    values = several(positive)("1e-3:10:32")
    assert len(values) == 32
    assert (values[0], values[-1]) == (0.001, 10.0)
    ratios = [high / low for low, high in itertools.pairwise(values)]
    assert ratios == pytest.approx([10 ** (4 / 31)] * 31, rel=1e-5)


def test_printed_numbers_can_be_typed_again() -> None:
    for value in several(positive)("1e-3:10:32"):
        assert positive(str(value)) == value
        assert len(f"{value:g}") <= 10


def test_integers_are_rounded_and_listed_once() -> None:
    assert several(positive_int)("1:4:7") == (1, 2, 3, 4)
    assert several(positive_int)("16:1024:7") == (16, 32, 64, 128, 256, 512, 1024)


def test_lists_keep_their_order_and_may_hold_ranges() -> None:
    assert several(positive)("3,1,3,2") == (3.0, 1.0, 2.0)
    assert several(share)("0,0.5:0.9:2") == (0.0, 0.5, 0.9)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "'' is not a value, values separated by commas, or low:high:count"),
        ("0.1,", "'0.1,' is not a value, values"),
        ("0.1:1", "'0.1:1' is not a value, values"),
        ("0.1:1:", "'0.1:1:' is not a value, values"),
        ("0.1:1:3:4", "'3:4' is not a whole number from 0"),
        ("0.1:1:1", "'0.1:1:1' must have a count from 2 to 10000"),
        ("0.1:1:1000000000", "must have a count from 2 to 10000"),
        ("1:0.1:3", "'1:0.1:3' must have 0 < low < high: low is 1, high 0.1"),
        ("1:1:3", "must have 0 < low < high"),
        ("0:1:3", "'0' is not a number over 0"),
        ("a:1:3", "'a' is not a number over 0"),
        ("1,fast", "'fast' is not a number over 0"),
        ("0.1:inf:3", "'inf' is not a number over 0"),
    ],
)
def test_bad_values_name_the_value_and_the_rule(text: str, rule: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        several(positive)(text)
    assert rule in str(caught.value)


def test_range_from_zero_is_refused_where_zero_itself_is_allowed() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"'0:0\.9:3' must have 0 < low < high"):
        several(share)("0:0.9:3")


def test_all_combinations_are_listed_with_the_last_changing_fastest() -> None:
    settings = combinations(CHAPTER, {"momentum": (0.0, 0.9), "epochs": (5, 10, 20)})
    assert [(one.momentum, one.epochs) for one in settings] == [(m, e) for m in (0.0, 0.9) for e in (5, 10, 20)]
    assert {one.batch_size for one in settings} == {CHAPTER.batch_size}
    assert combinations(TUNED, {}) == [TUNED]


def test_missing_options_come_from_the_recipe() -> None:
    assert _grid() == [TUNED]
    assert _grid("--recipe", "chapter") == [CHAPTER]
    rates = [one.learning_rate for one in _grid("--recipe", "chapter", "--learning-rate", "0.1,0.2", "--keep", "best")]
    assert rates == [0.1, 0.2]
    assert [one.schedule for one in _grid("--schedule", "cosine,constant")] == ["cosine", "constant"]


def test_small_data_get_the_settings_of_the_recipe_for_their_size() -> None:
    options = parser.parser().parse_args(["sweep", "--data", "x.csv", "--momentum", "0,0.9"])
    assert {(one.batch_size, one.epochs) for one in sweep_options.grid(options, 320)} == {(16, 100)}


def test_seeds_are_consecutive_and_within_the_limit() -> None:
    def seeds(*options: str) -> list[int]:
        return sweep_options.seeds(parser.parser().parse_args(["sweep", *options]))

    assert seeds() == [0]
    assert seeds("--seeds", "3", "--seed", "5") == [5, 6, 7]
    with pytest.raises(TrainingError, match=r"--seeds 2: the last must be at most 2\^63 - 1"):
        seeds("--seed", str(2**63 - 1), "--seeds", "2")


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("--learning-rate", "0.1,-1", "'-1' is not a number over 0"),
        ("--batch-size", "1.5:3:2", "'1.5' is not a whole number from 1"),
        ("--momentum", "0.9,1", "'1' is not a number from 0 to under 1"),
        ("--schedule", "cosine,linear", "'linear' is not constant or cosine"),
        ("--schedule", "cosine:constant:2", "is not a value, values"),
        ("--seeds", "0", "'0' is not a whole number from 1"),
    ],
)
def test_command_line_rejects_in_one_line(
    option: str, value: str, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _grid(option, value)
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {option}: " in last
    assert rule in last
