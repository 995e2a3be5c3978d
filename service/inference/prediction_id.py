"""The id of a prediction. It holds everything that feedback needs, so the service stores nothing for each prediction.

An id encodes the model version, the policy, the label, the time, and whether the answer is in the audit sample, in
30 bytes or 40 characters of base64. Feedback may come days later, to another worker, or after a restart. An id is
neither secret nor authenticated: clients that may give feedback are trusted to state the true label.
"""

import base64
import binascii
import itertools
import random
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from service.contract.policy import POLICY_FIELDS, Policy

_LAYOUT = struct.Struct(">7s6sBdII")  # nonce, model version, audit bit and kind of policy, its number, label, seconds
_TAIL = struct.Struct(">4sBdII")  # its last 21 bytes, after a head of 9
_NONCE_BITS = 56
_AUDIT = 0x80
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_ABSTAINED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class PredictionId:
    """The contents of an id."""

    nonce: int
    version: str  # 12 hex digits
    policy_field: str  # a field of PolicyRequest
    policy_value: float  # its value; 1 for `never_abstain`
    label: int | None  # None for an abstention
    seconds: int  # Unix time
    audit: bool  # whether it is in the audit sample

    @classmethod
    def decode(cls, text: str) -> "PredictionId":
        """Read an id. Raises ValueError for a text that is not an id."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            nonce, version, kind, value, label, seconds = _LAYOUT.unpack(raw)
            return cls(
                int.from_bytes(nonce, "big"),
                version.hex(),
                POLICY_FIELDS[kind & ~_AUDIT],
                value,
                None if label == _ABSTAINED else label,
                seconds,
                bool(kind & _AUDIT),
            )
        except (binascii.Error, struct.error, UnicodeEncodeError, IndexError):
            raise ValueError("not the id of a prediction") from None


class PredictionIds:
    """Generates unique ids for the predictions of one model, and draws the audit sample.

    The nonces count up from a random number. Two services, or one before and after a restart, generate the same nonce
    only if their random numbers are within a few billion of one another, out of 2^55. Safe to share between threads.
    """

    def __init__(
        self,
        version: str,
        audit_share: float = 0,
        register: Callable[[str], object] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`audit_share` of the answers are drawn for the audit sample; `register` is called with each id drawn."""
        self._version = bytes.fromhex(version)
        self._heads = _Heads(self._version[:2])
        self._audit_share = audit_share
        self._register = register
        self._now = now

    def under(self, policy: Policy) -> Callable[[int | None], tuple[str, bool]]:
        """A function from a label, or None for an abstention, to a new id and whether it is audited.

        >>> from service.contract.policy import ThresholdPolicy
        >>> text, audit = PredictionIds("0123456789ab", now=lambda: 1.7e9).under(ThresholdPolicy(threshold=0.5))(7)
        >>> id_ = PredictionId.decode(text)
        >>> len(text), id_.version, id_.policy_field, id_.policy_value, id_.label, id_.seconds, audit
        (40, '0123456789ab', 'threshold', 0.5, 7, 1700000000, False)
        """
        kind = POLICY_FIELDS.index(policy.kind)
        value = float(getattr(policy, policy.kind, 1))
        rest = self._version[2:]
        take, more = self._heads.take, self._heads.more
        now, share, register, draw = self._now, self._audit_share, self._register, random.random
        # The tails of this second's ids, by label. One tuple, so that no thread sees half of a change.
        cached: tuple[int, dict[int | None, str]] = (-1, {})

        def tail(label: int | None, second: int, kind: int) -> str:
            return _text(_TAIL.pack(rest, kind, value, _ABSTAINED if label is None else label, second))

        def give(label: int | None) -> tuple[str, bool]:
            nonlocal cached
            second, tails = cached
            if not second <= (moment := now()) < second + 1:
                cached = second, tails = int(moment), {}
            try:
                head = take()
            except IndexError:
                head = more()
            if label is not None and draw() < share:
                given = head + tail(label, second, kind | _AUDIT)
                if register is not None:
                    register(given)
                return given, True
            if (end := tails.get(label)) is None:
                end = tails[label] = tail(label, second, kind)
            return head + end, False

        return give


class _Heads:
    """The first 12 characters of ids, which are unique: the nonce and two bytes of the version.

    They are made 256 at a time, which differ only in the last byte of the nonce.
    """

    def __init__(self, version: bytes) -> None:
        self._lasts = [_text(bytes([last]) + version) for last in range(255, -1, -1)]
        self._firsts = itertools.count(secrets.randbits(_NONCE_BITS - 1) >> 8)
        self._made: list[str] = []
        self.take = self._made.pop  # raises IndexError if none is left

    def more(self) -> str:
        """Make more, and take one."""
        first = _text(next(self._firsts).to_bytes(6, "big"))
        made = [first + last for last in self._lasts]
        head = made.pop()
        self._made.extend(made)
        return head


def _text(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).decode("ascii")
