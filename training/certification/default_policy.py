"""The warning about a default policy without a certificate: a model that answers no request that names no policy."""

import json
from collections.abc import Mapping

from service.contract.certificates import Abstention, RiskCertificate
from service.contract.manifest import SplitName
from service.contract.policy import Policy, SelectiveRiskPolicy
from training.certification.capacity import labelled_examples
from training.certification.fixed_sequence import least_examples
from training.certification.settings import bonferroni

SETTING = "DEMUR_DEFAULT_POLICY"  # of the service


def uncertified_default(default: Policy, abstention: Abstention | None, sizes: Mapping[SplitName, int]) -> str | None:
    """What is wrong with such a default policy, and the way out; None if it is certified or promises nothing.

    `sizes` are those of the splits. The certificates come in order of their risks, the strictest first.
    """
    if abstention is None or not isinstance(default, SelectiveRiskPolicy) or default.threshold is not None:
        return None
    problem = (
        f"The default policy, selective_risk {default.selective_risk}, could not be certified: the model abstains on "
        "every request that names no policy (no_certified_threshold)."
    )
    certified = [c.selective_risk for c in abstention.selective_risk if c.status == "certified"]
    costs = [c.reject_cost for c in abstention.reject_cost if c.status == "certified"]
    if certified:
        return (
            f"{problem} The strictest certified risk is {certified[0]}: make it the default by --default-risk "
            f"{certified[0]} in the next fit, or by {_setting('selective_risk', certified[0])} where it is served."
        )
    asked = next(c for c in abstention.selective_risk if c.selective_risk == default.selective_risk)
    other = f" The strictest certified cost is {costs[0]}: {_setting('reject_cost', costs[0])}." if costs else ""
    return f"{problem} No selective risk is certified. {_needed(asked, sizes)}{other}"


def _needed(asked: RiskCertificate, sizes: Mapping[SplitName, int]) -> str:
    """How many calibration examples the certificate would take."""
    least = least_examples(asked.selective_risk, bonferroni(asked.confidence_level, asked.family))
    independent = asked.size // (asked.largest_group or 1) if asked.test == "betting" else asked.size
    takes = f"A risk of {asked.selective_risk} takes at least {least:,} calibration examples answered without an error"
    if independent >= least:
        return (
            f"{takes}; of the {independent:,} there are, too many of the surest answers are wrong. Use more examples "
            "or better inputs (`demur describe --plan` estimates how many), or a higher --selective-risk."
        )
    rows = -(-least * sizes["calibration"] // max(1, independent))
    return (
        f"{takes}, and there are {independent:,}: at these split shares it takes about "
        f"{labelled_examples(rows, sizes):,} labelled examples in all, or a higher --selective-risk."
    )


def _setting(kind: str, value: float) -> str:
    return f"{SETTING}='{json.dumps({kind: value})}'"
