"""The id of a prediction: all that feedback needs to know of it, so that nothing has to be remembered.

An id says which model decided, by which policy, and what: 27 bytes in base64. Feedback may come days later, to
another worker, or after a restart. An id is no secret and no proof: whoever may give feedback is trusted to tell the
true label, and so is trusted with the id.
"""

import base64
import binascii
import itertools
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass

from service.policy import POLICY_FIELDS, Policy

_LAYOUT = struct.Struct(">Q6sBdI")  # nonce, model version, kind of policy, its number, label
_MIDDLE = struct.Struct(">6sBd")  # what all predictions under one policy have alike
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

    @classmethod
    def decode(cls, text: str) -> "PredictionId":
        """Read an id. Raises ValueError for what is none."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            nonce, version, kind, value, label = _LAYOUT.unpack(raw)
            return cls(nonce, version.hex(), POLICY_FIELDS[kind], value, None if label == _ABSTAINED else label)
        except (binascii.Error, struct.error, UnicodeEncodeError, IndexError):
            raise ValueError("not the id of a prediction") from None


class PredictionIds:
    """Gives ids, each once, to the predictions of one model: from a drawn number on it counts.

    Safe to share between threads. That two services, or one before and after a restart, give the same is as good as
    impossible: their numbers would have to be drawn within a few billions of one another, out of 2^64.
    """

    def __init__(self, version: str) -> None:
        self._version = bytes.fromhex(version)
        self._nonces = itertools.count(secrets.randbits(63))

    def under(self, policy: Policy) -> Callable[[int | None], str]:
        """What gives the id of a decision for a label, or for none, under a policy.

        >>> from service.policy import ThresholdPolicy
        >>> text = PredictionIds("0123456789ab").under(ThresholdPolicy(threshold=0.5))(7)
        >>> found = PredictionId.decode(text)
        >>> len(text), found.version, found.policy_field, found.policy_value, found.label
        (36, '0123456789ab', 'threshold', 0.5, 7)
        """
        kind = POLICY_FIELDS.index(policy.kind)
        value = float(getattr(policy, policy.kind, 1))
        middle = _MIDDLE.pack(self._version, kind, value)
        nonces = self._nonces

        def give(label: int | None) -> str:
            raw = b"%b%b%b" % (
                next(nonces).to_bytes(8, "big"),
                middle,
                (_ABSTAINED if label is None else label).to_bytes(4, "big"),
            )
            return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).decode("ascii")

        return give
