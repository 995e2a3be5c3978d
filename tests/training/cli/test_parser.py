"""The targets of the command line."""

import json
from pathlib import Path

import pytest

from training.certification.settings import AbstentionSettings
from training.cli import fit_settings, parser, target_options
from training.errors import TrainingError

CLASSES = ("cat", "dog")


def _abstention_settings(*options: str) -> AbstentionSettings:
    return target_options.abstention(parser.parser().parse_args(["fit", *options]), CLASSES)


def test_no_options_give_the_defaults() -> None:
    assert _abstention_settings() == AbstentionSettings()


def test_options_override_the_defaults() -> None:
    settings = _abstention_settings(
        "--selective-risk", "0.02", "0.05", "0.02", "--confidence-level", "0.9", "--reject-cost", "0.3"
    )
    assert settings.selective_risk == (0.02, 0.05)
    assert (settings.confidence_level, settings.reject_cost, settings.default_risk) == (0.9, (0.3,), 0.05)
    settings = _abstention_settings(
        "--set-coverage", "0.8", "0.9", "--false-alarm-rate", "0.02", "--default-risk", "0.1"
    )
    assert (settings.set_coverage, settings.false_alarm_rate, settings.default_risk) == ((0.8, 0.9), 0.02, 0.1)


@pytest.mark.parametrize(
    ("risks", "default"), [("0.02 0.1 0.01", 0.02), ("0.1 0.5", 0.1), ("0.05 0.5", 0.05), ("0.01", 0.01)]
)
def test_default_risk_is_never_looser_than_five_percent_where_there_is_a_stricter_one(
    risks: str, default: float
) -> None:
    assert _abstention_settings("--selective-risk", *risks.split()).default_risk == default


def test_default_risk_must_be_certified() -> None:
    with pytest.raises(TrainingError, match=r"--default-risk 0\.07 is not one of --selective-risk 0\.01, 0\.02, 0\.03"):
        _abstention_settings("--default-risk", "0.07")


def test_cost_matrix_is_read_for_the_classes(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    path.write_text(json.dumps({"cat": {"dog": 3}}))
    assert _abstention_settings("--cost-matrix", str(path)).cost_matrix == ((0, 3), (1, 0))


def test_chapters_recipe_certifies_nothing() -> None:
    with pytest.raises(TrainingError, match=r"--reject-cost: the chapter's recipe has no calibration split"):
        _abstention_settings("--recipe", "chapter", "--reject-cost", "0.1")
    assert _abstention_settings("--recipe", "chapter") == AbstentionSettings()


@pytest.mark.parametrize(
    "options",
    [
        ["--selective-risk", "0"],
        ["--selective-risk", "1"],
        ["--confidence-level", "95"],
        ["--reject-cost", "0"],
        ["--reject-cost", "1e308"],
    ],
)
def test_value_out_of_range_names_the_rule(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _abstention_settings(*options)
    stderr = capsys.readouterr().err
    assert f"argument {options[0]}: '{options[1]}' is not a number" in stderr


def test_small_data_get_smaller_minibatches_and_more_epochs_by_default(tmp_path: Path) -> None:
    def settings(*options: str) -> tuple[int, int]:
        parsed = parser.parser().parse_args(["fit", *options])
        chosen = fit_settings.settings(parsed, "tuned", 320)
        return chosen.batch_size, chosen.epochs

    assert settings() == (256, 25)  # Fashion-MNIST gets those of the recipe
    assert settings("--data", str(tmp_path)) == (16, 100)
    assert settings("--data", str(tmp_path), "--epochs", "3") == (16, 3)
