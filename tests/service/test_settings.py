"""Settings from the environment, and the message where one is wrong."""

from pathlib import Path

import pytest

from service.contract.errors import SettingsError
from service.contract.policy import PolicyRequest
from service.settings import Settings


def test_defaults_listen_on_loopback() -> None:
    settings = Settings.from_environment()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.default_policy is None


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("DEMUR_MODEL_PATH", "/models/m.onnx", Path("/models/m.onnx")),
        ("DEMUR_MODEL_NAME", "shoes", "shoes"),
        ("DEMUR_PORT", "9000", 9000),
        ("DEMUR_MAX_BODY_BYTES", "1", 1),
        ("DEMUR_INTRA_OP_THREADS", "4", 4),
        ("DEMUR_DEFAULT_POLICY", '{"threshold": 0.8}', PolicyRequest(threshold=0.8)),
        ("demur_shutdown_seconds", "0", 0),
    ],
)
def test_variable_is_read(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, value: object) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(Settings.from_environment(), variable.lower().removeprefix("demur_")) == value


def test_unknown_setting_stops_with_its_name_and_all_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMUR_XYZZY", "2")
    with pytest.raises(
        SettingsError, match=r"^DEMUR_XYZZY: no such setting; there are DEMUR_API_KEYS, DEMUR_AUDIT_DEADLINE"
    ):
        Settings.from_environment()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("DEMUR_WORKER", "DEMUR_WORKERS"),
        ("demur_prot", "DEMUR_PORT"),
        ("DEMUR_THREADS", "DEMUR_TRACES or DEMUR_INTRA_OP_THREADS"),
    ],
)
def test_mistyped_setting_gets_a_suggestion(monkeypatch: pytest.MonkeyPatch, typed: str, meant: str) -> None:
    monkeypatch.setenv(typed, "2")
    with pytest.raises(SettingsError, match=rf"^{typed}: no such setting; did you mean {meant}\?$"):
        Settings.from_environment()


def test_overrides_replace_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMUR_PORT", "http")  # not checked at all
    monkeypatch.setenv("DEMUR_MODELS", "/models")
    settings = Settings.from_environment({"port": 9000, "models": None})
    assert (settings.port, settings.models) == (9000, None)
    with pytest.raises(SettingsError, match=r"^DEMUR_PORT=-1: Input should be greater"):
        Settings.from_environment({"port": -1})


def test_data_folder_of_the_training_half_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMUR_DATA_DIR", "/data")
    Settings.from_environment()


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("DEMUR_PORT", "http", r"^DEMUR_PORT='http': Input should be a valid integer"),
        ("DEMUR_PORT", "65536", r"^DEMUR_PORT='65536': Input should be less than or equal to 65535"),
        ("DEMUR_MAX_BODY_BYTES", "0", r"^DEMUR_MAX_BODY_BYTES='0': Input should be greater than or equal to 1"),
        ("DEMUR_DEFAULT_POLICY", '{"threshold": 2}', r"^DEMUR_DEFAULT_POLICY\.threshold=2: Input should be less than"),
        ("DEMUR_DEFAULT_POLICY", "{}", r"^DEMUR_DEFAULT_POLICY=\{\}: Value error, a policy is exactly one of"),
        ("DEMUR_DEFAULT_POLICY", "0.8", r"^DEMUR_DEFAULT_POLICY=0\.8: it must be a JSON object like"),
        ("DEMUR_DEFAULT_POLICY", "{threshold", r"^DEMUR_DEFAULT_POLICY='\{threshold': it must be a JSON object"),
    ],
)
def test_wrong_value_is_named_with_its_rule(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, message: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(SettingsError, match=message):
        Settings.from_environment()


def test_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """As compose passes one on: `DEMUR_DEFAULT_POLICY: ${POLICY:-}`."""
    for name in ("DEMUR_DEFAULT_POLICY", "DEMUR_PORT"):
        monkeypatch.setenv(name, "")
    assert (Settings.from_environment().default_policy, Settings.from_environment().port) == (None, 8000)
