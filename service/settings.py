"""The service's settings, from environment variables with the prefix `DEMUR_`. Units stand in the names."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.contract.errors import SettingsError
from service.contract.policy import PolicyRequest
from service.inference.readers.limits import ReadLimits

LogForm = Literal["auto", "json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]
FeedbackCounts = Literal["audited", "all"]

PREFIX = "DEMUR_"
# A variable of the training half. One environment may serve both.
_OF_TRAINING = frozenset({"DEMUR_DATA_DIR"})


class Settings(BaseSettings):
    """Each field is the environment variable of its name in capitals after `DEMUR_`."""

    # Without `use_attribute_docstrings`, which reads and parses this file whenever the service starts, for 20 ms.
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    model_path: Path = Path("build/model.onnx")
    """The model file."""
    model_name: str | None = Field(None, max_length=200, pattern=r"^[^/]+$")
    """The name under which the one model is served. Unset: the name in its file."""
    model_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """The only file that may serve, by its SHA-256 in 64 hex digits. Unset: any that passes its proof."""
    models: Path | None = None
    """A folder of model files instead of one file: each `NAME.onnx` is served as the model NAME."""
    default_model: str | None = None
    """Which of the folder's models serves the routes without a name. Unset: the only one, or none."""
    host: str = "127.0.0.1"
    """The address to listen on: `0.0.0.0` for all of IPv4, `::` for all of IPv6 and IPv4."""
    port: int = Field(8000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    api_keys: Path | None = None
    """A file of API keys. Unset: every client may call every route."""
    trusted_hosts: str | None = None
    """The host names that requests may use, separated by commas: `demur.example, *.inside`. Unset: any."""
    default_policy: PolicyRequest | None = None
    """The policy of a request that names none, as JSON: `{"selective_risk": 0.02}`. Unset: the manifest's."""
    max_body_bytes: int = Field(16 * 1024 * 1024, ge=1)
    """The largest request body, counted as received."""
    max_bodies_bytes: int = Field(256 * 1024 * 1024, ge=1)
    """The most bytes of request bodies that a worker holds at a time; beyond it, 503."""
    max_batch_size: int = Field(1024, ge=1)
    """The most inputs in one request."""
    # Pillow warns past 89 million pixels and refuses twice as many, regardless of this setting.
    max_image_pixels: int = Field(50_000_000, ge=1, le=89_000_000)
    """The most pixels in one picture file, checked before decoding."""
    max_request_pixels: int = Field(100_000_000, ge=1)
    """The most pixels in all picture files of a request; they may take 4 seconds of a core."""
    max_connections: int = Field(1000, ge=1)
    """The most connections to a worker; beyond it, 503 and close."""
    max_concurrent_requests: int = Field(256, ge=1)
    """The most requests in progress or waiting in a worker; beyond it, 503."""
    request_seconds: int = Field(30, ge=1)
    """The time limit for receiving a request, for answering it, and for sending the answer, each."""
    keep_alive_seconds: int = Field(5, ge=1)
    """How long an idle connection stays open."""
    max_model_bytes: int = Field(256 * 1024 * 1024, ge=1)
    """The largest model file."""
    intra_op_threads: int = Field(1, ge=1)
    """onnxruntime's threads within one operator. One is best for a small model."""
    reload_seconds: int = Field(1, ge=0)
    """How often the service checks for a new model file; 0 checks only on SIGHUP."""
    samples: bool = True
    """Whether `GET /samples` and the page show the real inputs in a model's file."""
    max_feedback: int = Field(100_000, ge=1)
    """How many labels of recent predictions, and how many audited answers, are remembered for each model."""
    feedback_path: Path | None = None
    """A file that keeps feedback over restarts; made if absent. Unset: feedback ends with the service."""
    feedback_counts: FeedbackCounts = "audited"
    """Which answers judge a promise: `audited` ones in the order given, or `all` labelled ones in order of arrival."""
    audit_share: float = Field(0.01, ge=0, le=1)
    """The share of answers drawn for the audit sample."""
    audit_deadline_seconds: int = Field(604800, ge=1)
    """How long to wait for the label of an audited answer before judging without it."""
    drift_window: int = Field(10_000, ge=100, le=100_000_000)
    """The largest drift window, in inputs."""
    workers: int = Field(1, ge=1)
    """How many processes serve the port. One per core; each holds the models."""
    log_format: LogForm = "auto"
    """`json`, `text`, or `auto`: text on a terminal, JSON elsewhere."""
    log_level: LogLevel = "info"
    """The lowest level logged: `debug`, `info`, `warning` or `error`."""
    traces: bool = False
    """Whether each request is sent as a span to an OpenTelemetry collector. Needs the extra `traces`."""
    drain_seconds: int = Field(0, ge=0)
    """How long after SIGTERM requests are still accepted while `/readyz` returns 503."""
    shutdown_seconds: int = Field(10, ge=0)
    """How long requests in flight may then take to finish."""

    @property
    def read_limits(self) -> ReadLimits:
        """The limits of one request's inputs."""
        return ReadLimits(self.max_batch_size, self.max_image_pixels, self.max_request_pixels)

    @classmethod
    def from_environment(cls, overrides: Mapping[str, Any] | None = None) -> Self:
        """Read the environment; `overrides` replace what it says. Raises SettingsError.

        The message names each variable that is wrong, and the rule it breaks.
        """
        names = {PREFIX + name.upper() for name in cls.model_fields}
        given = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
        unknown = [name for name in given if name.upper() not in names | _OF_TRAINING]
        if unknown:
            raise SettingsError("; ".join(_no_such_setting(name, names) for name in unknown))
        try:
            return cls(**(overrides or {}))
        except ValidationError as error:
            raise SettingsError("; ".join(_broken_rule(details) for details in error.errors())) from None


def _no_such_setting(name: str, names: Iterable[str]) -> str:
    """What to say of a variable that is no setting: the nearest names, or all of them if none is near.

    >>> _no_such_setting("DEMUR_WORKER", ["DEMUR_HOST", "DEMUR_WORKERS"])
    'DEMUR_WORKER: no such setting; did you mean DEMUR_WORKERS?'
    """
    import difflib

    endings = [known.removeprefix(PREFIX) for known in sorted(names)]  # the prefix would make all of them near
    near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), endings, n=2)
    rest = (
        f"did you mean {' or '.join(PREFIX + ending for ending in near)}?"
        if near
        else f"there are {', '.join(sorted(names))}"
    )
    return f"{name}: no such setting; {rest}"


def _broken_rule(details: ErrorDetails) -> str:
    name, *inner = (str(part) for part in details["loc"])
    rule = details["msg"]
    if details["type"] == "model_type":  # pydantic's message names a class of ours
        rule = 'it must be a JSON object like {"selective_risk": 0.02}'
    return f"{'.'.join([PREFIX + name.upper(), *inner])}={details['input']!r}: {rule}"
