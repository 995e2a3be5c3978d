"""API keys: who may ask, and for what. A file holds a name, scopes and a hash of each, and never a key.

A line is `NAME SCOPE[,SCOPE] sha256:HEX`; empty lines, and those that begin with `#`, are passed over. A plain SHA-256
is enough, and a slow hash of passwords would only be slow: a key is 256 random bits, which nobody can try out.
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

PREDICT, FEEDBACK, ADMIN = "predict", "feedback", "admin"
SCOPES = (PREDICT, FEEDBACK, ADMIN)
MAX_KEYS = 1000  # each request is compared with every one of them
_PREFIX = "demur_"  # by which whoever looks for secrets in the wrong places can tell a key
_MAX_FILE_BYTES = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class Key(NamedTuple):
    """One key, as the file has it."""

    name: str  # of whoever holds it, for the log and the metrics
    scopes: frozenset[str]
    digest: bytes  # SHA-256 of the key

    def line(self) -> str:
        """As it stands in the file, without the newline."""
        return f"{self.name} {','.join(s for s in SCOPES if s in self.scopes)} sha256:{self.digest.hex()}"


class Keys:
    """The keys that let in."""

    def __init__(self, keys: list[Key]) -> None:
        self.names = [key.name for key in keys]
        self._keys = keys

    def find(self, presented: bytes) -> Key | None:
        """The key that a client presents, if it is one of ours.

        Every one is compared, in a time that does not depend on how much of it is right.
        """
        digest = hashlib.sha256(presented).digest()
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def new(name: str, scopes: frozenset[str]) -> tuple[str, Key]:
    """A new key of 256 random bits, and what the file is to hold of it."""
    presented = _PREFIX + secrets.token_urlsafe(32)
    return presented, Key(name, scopes, hashlib.sha256(presented.encode()).digest())


def read(path: Path) -> Keys:
    """The keys of a file. Raises SettingsError, naming the file, the line and the rule.

    Others may read it, since no key can be had from its hash, but not write it: a line more would let them in.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"cannot read the API keys {path}: {error.strerror}") from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            f"{path} has mode {stat.S_IMODE(mode):03o}: nobody but its owner may write the API keys (chmod go-w)"
        )
    if len(content) > _MAX_FILE_BYTES:
        raise SettingsError(f"{path} has more than {_MAX_FILE_BYTES} bytes: it is no file of API keys")
    try:
        keys = parse(content.decode())
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text: it is no file of API keys") from None
    except ValueError as error:
        raise SettingsError(f"{path}, {error}") from None
    if not keys:
        raise SettingsError(f"{path} has no API key: it must have at least one, or nobody would get in")
    return Keys(keys)


def parse(text: str) -> list[Key]:
    r"""The keys of a file's text. Raises ValueError, naming the line and the rule, and never what stands there.

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
                raise ValueError(f"the name {key.name} is there already: names tell keys apart")
            if key.digest in digests:
                raise ValueError(f"{key.name} has the hash of {digests[key.digest]}: each key has a name of its own")
            if len(keys) == MAX_KEYS:
                raise ValueError(f"it is one key too many: at most {MAX_KEYS} are taken")
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        keys[key.name] = key
        digests[key.digest] = key.name
    return list(keys.values())


def name_of(text: str) -> str:
    """A sound name. Raises ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError("the name must be 1 to 64 letters, digits, dots, dashes and underscores")
    return text


def _key(words: list[str]) -> Key:
    # What stands there is not repeated: it may be a key that was put into the file by mistake.
    if len(words) != 3:
        raise ValueError(f"it has {len(words)} words and must have 3: NAME SCOPE[,SCOPE] sha256:HEX")
    name, scopes, digest = words
    asked = scopes.split(",")
    if not set(asked) <= set(SCOPES) or len(set(asked)) < len(asked):
        raise ValueError(f"the scopes must be some of {', '.join(SCOPES)}, each once, with commas between them")
    found = _DIGEST.fullmatch(digest)
    if found is None:
        raise ValueError("the hash must be sha256: and 64 hex digits in lower case")
    return Key(name_of(name), frozenset(asked), bytes.fromhex(found[1]))
