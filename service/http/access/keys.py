"""API keys. Their file holds a name, scopes and a hash for each, never the key itself.

A line is `NAME SCOPE[,SCOPE] sha256:HEX`; empty lines and lines that begin with `#` are skipped. Plain SHA-256 is
enough: a key is 256 random bits, which cannot be guessed, so a slow password hash would only cost time.
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path
from typing import NamedTuple

from service.contract.errors import SettingsError
from service.http.access.scopes import SCOPES

MAX_KEYS = 1000  # each request is compared with all of them
_PREFIX = "demur_"  # lets secret scanners recognise a key
_MAX_FILE_BYTES = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class Key(NamedTuple):
    """One entry of the file."""

    name: str  # of the holder, for the log and the metrics
    scopes: frozenset[str]
    digest: bytes  # SHA-256 of the key

    def line(self) -> str:
        """Its line in the file, without the newline."""
        return f"{self.name} {','.join(s for s in SCOPES if s in self.scopes)} sha256:{self.digest.hex()}"


class Keys:
    """The keys that the service accepts."""

    def __init__(self, keys: list[Key]) -> None:
        self.names = [key.name for key in keys]
        self._keys = keys

    def find(self, presented: bytes) -> Key | None:
        """The entry of a presented key, or None.

        It is compared with every entry, in a time that does not depend on how much of it matches.
        """
        digest = hashlib.sha256(presented).digest()
        match = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                match = key
        return match


def new(name: str, scopes: frozenset[str]) -> tuple[str, Key]:
    """A new key of 256 random bits, and its entry for the file."""
    presented = _PREFIX + secrets.token_urlsafe(32)
    return presented, Key(name, scopes, hashlib.sha256(presented.encode()).digest())


def read(path: Path) -> Keys:
    """Read a file of keys. Raises SettingsError, which names the file, the line and the rule.

    Others may read the file, since a hash gives no key away. They may not write to it: a new line is a new key.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"cannot read the API keys {path}: {error.strerror}") from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            f"{path} has mode {stat.S_IMODE(mode):03o}: only its owner may write the API keys (chmod go-w)"
        )
    if len(content) > _MAX_FILE_BYTES:
        raise SettingsError(f"{path} has more than {_MAX_FILE_BYTES} bytes: it is not a file of API keys")
    try:
        keys = parse(content.decode())
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text: it is not a file of API keys") from None
    except ValueError as error:
        raise SettingsError(f"{path}, {error}") from None
    if not keys:
        raise SettingsError(f"{path} has no API key: it needs at least one, or nobody could use the service")
    return Keys(keys)


def parse(text: str) -> list[Key]:
    r"""Parse a file's text. Raises ValueError, which names the line and the rule, and never quotes the line.

    >>> parse(f"# mine\nshop predict,feedback sha256:{'0' * 64}\n")[0].name
    'shop'
    """
    keys: dict[str, Key] = {}
    digests: dict[bytes, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            key = _key(words)
            if key.name in keys:
                raise ValueError(f"the name {key.name} is used twice: names must be unique")
            if key.digest in digests:
                raise ValueError(f"{key.name} has the hash of {digests[key.digest]}: each name needs its own key")
            if len(keys) == MAX_KEYS:
                raise ValueError(f"too many keys: at most {MAX_KEYS} are allowed")
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        keys[key.name] = key
        digests[key.digest] = key.name
    return list(keys.values())


def name_of(text: str) -> str:
    """The name of a key, checked. Raises ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError("the name must be 1 to 64 letters, digits, dots, dashes and underscores")
    return text


def _key(words: list[str]) -> Key:
    # Messages never quote the line: a key may have been put into the file by mistake.
    if len(words) != 3:
        raise ValueError(f"it has {len(words)} words and must have 3: NAME SCOPE[,SCOPE] sha256:HEX")
    name, listed, digest = words
    scopes = listed.split(",")
    if not set(scopes) <= set(SCOPES) or len(set(scopes)) < len(scopes):
        raise ValueError(f"the scopes must be some of {', '.join(SCOPES)}, each once, separated by commas")
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise ValueError("the hash must be sha256: and 64 hex digits in lower case")
    return Key(name_of(name), frozenset(scopes), bytes.fromhex(match[1]))
