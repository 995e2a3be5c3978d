"""Reads the locks of `requirements/`."""

import re
from typing import NamedTuple

from tests.server import ROOT


class Pin(NamedTuple):
    """One package of a lock."""

    version: str
    hashes: frozenset[str]  # SHA-256 of each of its files


def pins(name: str) -> dict[str, Pin]:
    """The packages of `requirements/{name}.txt`, by name."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    entries = re.findall(r"^([a-z0-9._-]+)==([^\s;]+)(.*)$", text, re.MULTILINE)
    return {
        package: Pin(version, frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", rest)))
        for package, version, rest in entries
    }


def plain(package: str) -> str:
    """A package's name in its normalized form."""
    return re.sub(r"[-_.]+", "-", package).lower()
