"""The warning about a default policy without a certificate names what can be typed instead."""

import re
from typing import Any

import pytest

from service.contract.certificates import Abstention
from service.contract.manifest import SplitName
from service.contract.policy import NeverAbstainPolicy
from service.settings import Settings
from tests import tiny
from training.certification.default_policy import uncertified_default

SIZES: dict[SplitName, int] = {"train": 200, "tune": 40, "calibration": 100, "report": 60}
ABSTENTION = tiny.abstention()  # of each kind one certified, the looser
BEGINNING = (
    "The default policy, selective_risk {}, could not be certified: the model abstains on every request that names no "
    "policy (no_certified_threshold). "
)
COST = " The strictest certified cost is 0.2: DEMUR_DEFAULT_POLICY='{\"reject_cost\": 0.2}'."


def _uncertified(**changes: Any) -> Abstention:
    """The stricter risk alone."""
    certificate = ABSTENTION.selective_risk[0].model_copy(update=changes)
    return ABSTENTION.model_copy(update={"selective_risk": [certificate]})


@pytest.mark.parametrize(
    ("abstention", "expected"),
    [
        (
            ABSTENTION,
            BEGINNING.format(0.01)
            + "The strictest certified risk is 0.1: make it the default by --default-risk 0.1 in "
            "the next fit, or by DEMUR_DEFAULT_POLICY='{\"selective_risk\": 0.1}' where it is served.",
        ),
        (  # ceil(log(0.05) / log(0.99)) = 299 of 100, so 299 / 100 * 400 in all
            _uncertified(),
            BEGINNING.format(0.01) + "No selective risk is certified. A risk of 0.01 takes at least 299 calibration "
            "examples answered without an error, and there are 100: at these split shares it takes about 1,196 "
            "labelled examples in all, or a higher --selective-risk." + COST,
        ),
        (  # groups of 4 make 25 of them: 299 * 4 * 4 in all
            _uncertified(unit="group", test="betting", groups=25, largest_group=4),
            BEGINNING.format(0.01) + "No selective risk is certified. A risk of 0.01 takes at least 299 calibration "
            "examples answered without an error, and there are 25: at these split shares it takes about 4,784 "
            "labelled examples in all, or a higher --selective-risk." + COST,
        ),
        (
            _uncertified(selective_risk=0.05),
            BEGINNING.format(0.05) + "No selective risk is certified. A risk of 0.05 takes at least 59 calibration "
            "examples answered without an error; of the 100 there are, too many of the surest answers are wrong. Use "
            "more examples or better inputs (`demur describe --plan` estimates how many), or a higher --selective-risk."
            + COST,
        ),
    ],
)
def test_way_out(abstention: Abstention, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = uncertified_default(abstention.selective_risk[0].policy(), abstention, SIZES)
    assert warning == expected
    setting = re.search(r"(DEMUR_\w+)='(.*?)'", warning)
    assert setting is not None
    monkeypatch.setenv(setting[1], setting[2])
    assert Settings.from_environment().default_policy is not None  # the words work as they stand


def test_certified_default_needs_no_warning() -> None:
    certified = ABSTENTION.selective_risk[1].policy()
    assert uncertified_default(certified, ABSTENTION, SIZES) is None
    assert uncertified_default(NeverAbstainPolicy(kind="never_abstain"), None, SIZES) is None
