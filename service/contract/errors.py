"""What can go wrong below the routes, in words that know nothing of HTTP.

DemurError
├── ModelError             the file is not one that may serve
├── SettingsError          a setting that does not exist, or a value that it cannot have
├── ScoringError           a file that cannot be scored, or answers that cannot be written
├── FileError              a file or a folder that cannot be written
└── RequestError           the request cannot be answered; `http/problems.py` gives each kind its status
    ├── MalformedBody      the body is not what its content type says
    ├── UnsupportedType    a content type or an image format that is not taken
    ├── TooLarge           more bytes, inputs or pixels than a limit allows
    ├── UnknownModel       a model that the service does not have
    ├── ModelNotReady      a model whose file did not pass its proof
    ├── Unauthenticated    no API key, where one is needed, or none of ours
    ├── Forbidden          the key does not let in to this
    ├── UntrustedHost      asked by a name that is not the service's
    ├── Overloaded         more requests than the service answers in time
    │   ├── NotAnswered    it was not answered in time
    │   └── NoRoom         no room for its body
    ├── NotSent            it was not sent in time
    ├── Conflict           it contradicts what came earlier
    └── InvalidRequest     well-formed, but one or more fields break a rule
        └── InvalidValue   one field
"""

from dataclasses import dataclass


class DemurError(Exception):
    """Base of every error that Demur raises on purpose; its text is fit to be shown to a user."""


class ModelError(DemurError):
    """A model file that must not serve: unreadable, inconsistent, or wrong on its own golden vectors."""


class SettingsError(DemurError):
    """A setting that does not exist, or a value that it cannot have."""


class ScoringError(DemurError):
    """A file that cannot be scored, or answers that cannot be written."""


class FileError(DemurError):
    """A file or a folder that cannot be written."""


class RequestError(DemurError):
    """A request that cannot be answered."""


class MalformedBody(RequestError):
    """The body is not what its content type says: not JSON, not a whole PNG."""


class UnsupportedType(RequestError):
    """A content type or an image format that is not taken."""


class TooLarge(RequestError):
    """More bytes, inputs or pixels than a limit allows."""


class UnknownModel(RequestError):
    """A model that the service does not have."""


class ModelNotReady(RequestError):
    """A model whose file did not pass its proof."""


class Stopping(RequestError):
    """The service is on its way out. Said to probes alone: requests are answered to the end."""


class Unauthenticated(RequestError):
    """No API key, where one is needed, or none of ours."""


class Forbidden(RequestError):
    """An API key that does not let in to what is asked. `key` is its name."""

    def __init__(self, message: str, key: str) -> None:
        super().__init__(message)
        self.key = key


class UntrustedHost(RequestError):
    """The service is asked by a name that is not one of its own."""


class Overloaded(RequestError):
    """More requests are in work or waiting than the service answers in time."""


class NotAnswered(Overloaded):
    """The service has not answered the request in the time that one may take."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request was not answered within {seconds:g} s")


class NoRoom(Overloaded):
    """The bodies that the service holds leave no room for the request's."""


class NotSent(RequestError):
    """The client has not sent the request in the time that one may take."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request was not sent as a whole within {seconds:g} s")


class Conflict(RequestError):
    """The request contradicts an earlier one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong field: its name as the client writes it, and what came and what is allowed."""

    field: str
    detail: str


class InvalidRequest(RequestError):
    """A well-formed request in which one or more fields break a rule."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(fault.detail for fault in faults))
        self.faults = faults


class InvalidValue(InvalidRequest):
    """One field that breaks a rule. The message is the field, then what came and what is allowed.

    >>> str(InvalidValue("top_k", "=12 is out of range: 1 to 10"))
    'top_k=12 is out of range: 1 to 10'
    """

    def __init__(self, field: str, rule: str) -> None:
        super().__init__([Fault(field, f"{field}{rule}")])
