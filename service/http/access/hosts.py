"""The names that the service may be asked by.

A page elsewhere can let its own name lead to the service's address, and then ask in the name of whoever looks at it,
from inside a network. Such a request has that page's name in its `Host`.
"""

import re

from service.contract.errors import SettingsError

_NAME = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]"
_HEADER = re.compile(rf"({_NAME})(?::\d+)?", re.ASCII)
_ALLOWED = re.compile(rf"(?:\*\.)?(?:{_NAME})", re.ASCII)


class Hosts:
    """Names that are allowed: whole ones, and `*.` before one for all that end in it."""

    def __init__(self, names: list[str]) -> None:
        self._exact = frozenset(name for name in names if not name.startswith("*"))
        self._endings = tuple(name[1:] for name in names if name.startswith("*"))

    @classmethod
    def parse(cls, text: str, setting: str) -> "Hosts":
        """Of names with commas between them. Raises SettingsError, naming `setting`.

        >>> Hosts.parse("demur.example, *.inside.example, [::1]", "X").allow(b"a.inside.example:8000")
        True
        """
        names = [part.strip().lower() for part in text.split(",")]
        for name in names:
            if not _ALLOWED.fullmatch(name):
                rule = "it must be a name or an address without a port, or *. and a name"
                raise SettingsError(f"{setting}={text!r}: {name!r} is no host: {rule}")
        return cls(names)

    def allow(self, header: bytes | None) -> bool:
        """Whether a request with this `Host` is meant for us.

        >>> hosts = Hosts(["demur.example", "*.inside.example"])
        >>> [hosts.allow(name) for name in (b"Demur.Example:443", b"inside.example", b"demur.example.evil", None)]
        [True, False, False, False]
        """
        if header is None:
            return False
        found = _HEADER.fullmatch(header.decode("latin-1").strip().lower())
        if found is None:
            return False
        return found[1] in self._exact or found[1].endswith(self._endings)
