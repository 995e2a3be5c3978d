"""Says why no row at all was answered, and how to get answers."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from service.contract.certificates import Abstention, CostCertificate, RiskCertificate
from service.contract.policy import Policy
from service.inference.decision import Reason

STATUS = 3  # the exit status of a run that answered no row

_IN_WORDS: dict[Reason, str] = {
    "no_certified_threshold": "the policy could not be certified",
    "low_confidence": "the confidence is under the policy's threshold",
    "expected_cost": "an answer is expected to cost more than the policy allows",
    "out_of_distribution": "the row is unlike the training data: check that columns, units and sizes are the same",
}


def explanation(targets: Sequence[Path], policy: Policy, abstention: Abstention | None) -> str:
    """A line for files of answers in which every row is an abstention: the reasons, and what gives answers."""
    counts = Counter[Reason]()
    for target in targets:
        with pq.ParquetFile(target) as file:
            for batch in file.iter_batches(columns=["reason"]):
                counts.update(batch.column("reason").to_pylist())
    reasons = "; ".join(f"{count:,} {reason} ({_IN_WORDS[reason]})" for reason, count in counts.most_common())
    return (
        f"none of the {counts.total():,} rows is answered under {policy}: {reasons}. {_others(policy, abstention)}, or "
        "--never-abstain, which promises nothing; add --overwrite"
    )


def _others(policy: Policy, abstention: Abstention | None) -> str:
    """The options for other policies that are certified."""
    certificates: list[RiskCertificate | CostCertificate] = []
    if abstention is not None:
        certificates += [*abstention.selective_risk, *abstention.reject_cost]
    certified = [
        f"--{str(c.policy()).replace('_', '-').replace('=', ' ')}"
        for c in certificates
        if c.status == "certified" and c.policy() != policy
    ]
    if not certified:
        return "This model is certified for no other policy: give --threshold T"
    return f"Give another policy that this model is certified for, {' or '.join(certified)}"
