"""The host names that the service answers to.

This stops DNS rebinding: a foreign page points its own host name at the service's address and then sends requests from
the browser of a user inside the network. Such a request carries the page's name in its `Host` header.
"""

import re

from service.contract.errors import SettingsError

_NAME = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]"
_HEADER = re.compile(rf"({_NAME})(?::\d+)?", re.ASCII)
_ALLOWED = re.compile(rf"(?:\*\.)?(?:{_NAME})", re.ASCII)


class Hosts:
    """Trusted host names; `*.` before a name stands for all its subdomains."""

    def __init__(self, names: list[str]) -> None:
        self._exact = frozenset(name for name in names if not name.startswith("*"))
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*"))

    @classmethod
    def parse(cls, text: str, setting: str) -> "Hosts":
        """Parse a comma-separated list. Raises SettingsError, which names `setting`.

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
        """Whether a `Host` header names one of the trusted hosts.

        >>> hosts = Hosts(["demur.example", "*.inside.example"])
        >>> [hosts.allow(name) for name in (b"Demur.Example:443", b"inside.example", b"demur.example.evil", None)]
        [True, False, False, False]
        """
        if header is None:
            return False
        match = _HEADER.fullmatch(header.decode("latin-1").strip().lower())
        return match is not None and (match[1] in self._exact or match[1].endswith(self._suffixes))
