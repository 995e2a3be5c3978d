"""The id of a prediction: all that feedback needs to know of it, so that nothing has to be remembered.

An id says which model decided, by which policy, and what: 27 bytes in base64. Feedback may come days later, to
another worker, or after a restart. An id is no secret and no proof: whoever may give feedback is trusted to tell the
true label, and so is trusted with the id.
"""

import base64
import binascii
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from service.decision import Decision
from service.policy import POLICY_FIELDS, Policy

_LAYOUT = struct.Struct(">Q6sBdI")  # nonce, model version, kind of policy, its number, label
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


def encode(version: str, policy: Policy, decisions: Sequence[Decision]) -> list[str]:
    """An id for each decision, which no other prediction has.

    >>> from service.policy import ThresholdPolicy
    >>> (text,) = encode("0123456789ab", ThresholdPolicy(threshold=0.5), [Decision(7, None)])
    >>> found = PredictionId.decode(text)
    >>> len(text), found.version, found.policy_field, found.policy_value, found.label
    (36, '0123456789ab', 'threshold', 0.5, 7)
    """
    first = secrets.randbits(64)
    kind = POLICY_FIELDS.index(policy.kind)
    value = float(getattr(policy, policy.kind, 1))
    model = bytes.fromhex(version)
    labels = [_ABSTAINED if decision.label is None else decision.label for decision in decisions]
    packed = (_LAYOUT.pack((first + i) % 2**64, model, kind, value, label) for i, label in enumerate(labels))
    return [base64.b64encode(raw, altchars=b"-_").decode("ascii") for raw in packed]
