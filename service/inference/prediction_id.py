"""The id of a prediction. It holds what feedback has to know, so the service stores nothing for each prediction.

An id says which model decided, by which policy, what, when, and whether the answer is in the audit sample: 30 bytes,
40 characters of base64. Feedback may come days later, to another worker, or after a restart. An id is neither a secret
nor a proof: whoever may give feedback is trusted to tell the true label, and so is trusted with the id.
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
_TAIL = struct.Struct(">4sBdII")  # the last 21 bytes of it; the 9 before them are a head
_NONCE_BITS = 56
_AUDIT = 0x80
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_ABSTAINED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class PredictionId:
    """One prediction: its nonce, the model's version, the policy as a request would ask for it, the answer."""

    nonce: int
    version: str  # 12 hex digits
    policy_field: str  # which field of PolicyRequest
    policy_value: float  # of that field; 1 for `never_abstain`
    label: int | None  # None for an abstention
    seconds: int  # when it was given, since 1970
    audit: bool  # whether it was drawn for the audit sample

    @classmethod
    def decode(cls, text: str) -> "PredictionId":
        """Read an id. Raises ValueError for what is none."""
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
    """Gives ids, each once, to the predictions of one model, and draws the audit sample.

    The nonces count from a random number. Two services, or one before and after a restart, give the same nonce in the
    same second only if their random numbers are within a few billion of one another, out of 2^55. Safe to share
    between threads.
    """

    def __init__(
        self,
        version: str,
        audit_share: float = 0,
        register: Callable[[str], object] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`audit_share` of the answers are drawn for the audit sample; `register` is called with the id of each."""
        self._version = bytes.fromhex(version)
        self._heads = _Heads(self._version[:2])
        self._audit_share = audit_share
        self._register = register
        self._now = now

    def under(self, policy: Policy) -> Callable[[int | None], tuple[str, bool]]:
        """What gives the id of a decision for a label, or for none, under a policy, and whether it is audited.

        >>> from service.contract.policy import ThresholdPolicy
        >>> text, audit = PredictionIds("0123456789ab", now=lambda: 1.7e9).under(ThresholdPolicy(threshold=0.5))(7)
        >>> found = PredictionId.decode(text)
        >>> len(text), found.version, found.policy_field, found.policy_value, found.label, found.seconds, audit
        (40, '0123456789ab', 'threshold', 0.5, 7, 1700000000, False)
        """
        kind = POLICY_FIELDS.index(policy.kind)
        value = float(getattr(policy, policy.kind, 1))
        rest = self._version[2:]
        take, more = self._heads.take, self._heads.more
        now, share, register, draw = self._now, self._audit_share, self._register, random.random
        # The tails of the ids of this second, by label. One name for both, so that no thread sees half of a change.
        known: tuple[int, dict[int | None, str]] = (-1, {})

        def tail(label: int | None, second: int, kind: int) -> str:
            return _text(_TAIL.pack(rest, kind, value, _ABSTAINED if label is None else label, second))

        def give(label: int | None) -> tuple[str, bool]:
            nonlocal known
            second, tails = known
            if not second <= (moment := now()) < second + 1:
                known = second, tails = int(moment), {}
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
    """The first 12 characters of ids, which differ in each: the nonce, and two bytes of the version.

    256 are made at a time, since all but the last byte of their nonces is the same.
    """

    def __init__(self, version: bytes) -> None:
        self._lasts = [_text(bytes([last]) + version) for last in range(255, -1, -1)]
        self._firsts = itertools.count(secrets.randbits(_NONCE_BITS - 1) >> 8)
        self._made: list[str] = []
        self.take = self._made.pop  # raises IndexError where none is left

    def more(self) -> str:
        """Make more, and take one."""
        first = _text(next(self._firsts).to_bytes(6, "big"))
        made = [first + last for last in self._lasts]
        head = made.pop()
        self._made.extend(made)
        return head


def _text(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).decode("ascii")
