"""The errors that Demur raises on purpose, independent of HTTP.

DemurError
├── ModelError             a model file that cannot be served
├── SettingsError          an unknown setting or an invalid value
├── ScoringError           a file that cannot be scored, or answers that cannot be written
├── FileError              a file or folder that cannot be written
│   └── PlaceError         an output that may not be replaced: a device, or an input of the command
└── RequestError           a request that cannot be answered; `http/problems.py` maps each kind to a status
    ├── MalformedBody      the body does not match its content type
    ├── UnsupportedType    an unsupported content type or image format
    ├── TooLarge           more bytes, inputs or pixels than a limit allows
    ├── UnknownModel       a model that the service does not have
    ├── ModelNotReady      a model whose file did not pass its proof
    ├── Stopping           the service is shutting down
    ├── Unauthenticated    a missing or unknown API key
    ├── Forbidden          an API key without the necessary scope
    ├── UntrustedHost      a Host header that is not one of the service's names
    ├── Overloaded         more requests than the service can answer in time
    │   ├── NotAnswered    the answer took too long
    │   └── NoRoom         no memory is left for the body
    ├── NotSent            the client took too long to send the request
    ├── Conflict           the request contradicts an earlier one
    └── InvalidRequest     well-formed, but one or more fields break a rule
        └── InvalidValue   one field
"""

from dataclasses import dataclass


class DemurError(Exception):
    """Base of every error that Demur raises on purpose. Its text may be shown to users."""


class ModelError(DemurError):
    """A model file that cannot be served: unreadable, inconsistent, or wrong on its golden vectors."""


class SettingsError(DemurError):
    """An unknown setting or an invalid value."""


class ScoringError(DemurError):
    """A file that cannot be scored, or answers that cannot be written."""


class FileError(DemurError):
    """A file or folder that cannot be written."""


class PlaceError(FileError):
    """An output that may not be replaced: a folder, a device, or an input of the command. A command ends with 2."""


class RequestError(DemurError):
    """A request that cannot be answered."""


class MalformedBody(RequestError):
    """The body does not match its content type: it is not JSON, or not a complete PNG."""


class UnsupportedType(RequestError):
    """An unsupported content type or image format."""


class TooLarge(RequestError):
    """More bytes, inputs or pixels than a limit allows."""


class UnknownModel(RequestError):
    """A model that the service does not have."""


class ModelNotReady(RequestError):
    """A model whose file did not pass its proof."""


class Stopping(RequestError):
    """The service is shutting down. Requests are still answered for some time; probes get this at once."""


class Unauthenticated(RequestError):
    """A missing or unknown API key."""


class Forbidden(RequestError):
    """An API key without the necessary scope. `key` is its name."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


class UntrustedHost(RequestError):
    """A Host header that is not one of the service's names."""


class Overloaded(RequestError):
    """More requests are in progress or waiting than the service can answer in time."""


class NotAnswered(Overloaded):
    """The service did not answer the request in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request was not answered within {seconds:g} s")


class NoRoom(Overloaded):
    """The bodies that the service holds leave no memory for this one."""


class NotSent(RequestError):
    """The client did not send the request in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request was not sent completely within {seconds:g} s")


class Conflict(RequestError):
    """The request contradicts an earlier one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One invalid field: its name as the client writes it, and a message with the value and the rule."""

    field: str
    detail: str


class InvalidRequest(RequestError):
    """A well-formed request in which one or more fields break a rule."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(fault.detail for fault in faults))
        self.faults = faults


class InvalidValue(InvalidRequest):
    """One field that breaks a rule. The message is the field, then the value and the rule.

    >>> str(InvalidValue("top_k", "=12 is out of range: 1 to 10"))
    'top_k=12 is out of range: 1 to 10'
    """

    def __init__(self, field: str, rule: str) -> None:
        super().__init__([Fault(field, f"{field}{rule}")])
