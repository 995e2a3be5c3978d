"""The model and the policy that score every row, from the settings and the options of a command."""

import argparse
from dataclasses import dataclass
from typing import Self

from service.contract.errors import InvalidValue, ScoringError, SettingsError
from service.contract.policy import POLICY_FIELDS, Policy, PolicyRequest
from service.inference.classifier import Classifier
from service.inference.decision import is_infeasible, resolve
from service.inference.readers.reader import Reader, reader_for
from service.scoring.table import ScoringOptions
from service.settings import PREFIX, Settings


@dataclass(frozen=True, slots=True)
class ScoringPlan:
    """A proved model with its reader, and how every row is answered."""

    classifier: Classifier
    reader: Reader
    options: ScoringOptions

    @classmethod
    def of(cls, options: argparse.Namespace, settings: Settings) -> Self:
        """Load and prove the model. Raises ModelError, and SettingsError or ScoringError for an uncertified policy."""
        path = settings.model_path if options.model is None else options.model
        classifier = Classifier.load(path, max_bytes=settings.max_model_bytes)
        policy = _policy(options, settings, classifier)
        scoring = ScoringOptions(policy, options.column, options.probabilities, options.resize)
        return cls(classifier, reader_for(classifier.manifest.input, settings.read_limits), scoring)

    def warning(self) -> str | None:
        """A line to show before a run that may take hours."""
        infeasible = is_infeasible(self.options.policy)
        return "the policy could not be certified: the model abstains on every row" if infeasible else None


def _policy(options: argparse.Namespace, settings: Settings, classifier: Classifier) -> Policy:
    """The policy of the options, else of the settings, else of the manifest."""
    abstention = classifier.manifest.abstention
    given = {name: getattr(options, name) for name in POLICY_FIELDS if getattr(options, name) is not None}
    if given:
        try:
            return resolve(PolicyRequest(**given), abstention, within="--")
        except InvalidValue as error:
            raise ScoringError(str(error).replace("_", "-", 1)) from None  # the name of the option
    if settings.default_policy is None:
        return classifier.manifest.default_policy
    try:
        return resolve(settings.default_policy, abstention)
    except InvalidValue as error:
        raise SettingsError(f"{PREFIX}DEFAULT_POLICY: {error}") from None
