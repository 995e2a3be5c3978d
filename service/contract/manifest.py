"""The manifest: the metadata of a `model.onnx`, under the key `demur.manifest`.

`training` writes it, `service` reads it, and both validate it with these classes.
"""

import base64
import binascii
from datetime import datetime
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.contract.certificates import Abstention, CostCertificate, PredictionSets, RiskCertificate, Sha256
from service.contract.fail_fast_list import FailFastList
from service.contract.inputs import Input, Name
from service.contract.policy import Policy, RejectCostPolicy, SelectiveRiskPolicy
from service.contract.reference import Reference
from service.contract.training import Lift, Training

METADATA_KEY = "demur.manifest"
SCHEMA_VERSION: Literal[6] = 6

SplitName = Literal["train", "tune", "calibration", "report"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Split(_Part):
    """One split of the data."""

    size: int = Field(ge=1, description="The number of examples.")
    source: str = Field(description="The population that they were drawn from.")
    fingerprint: Sha256 = Field(description="The SHA-256 of inputs and labels.")


class Data(_Part):
    """The data set and its splits."""

    name: Name = Field(description="The name of the data set.")
    fingerprint: Sha256 = Field(description="The SHA-256 of the checksums of the unpacked source files.")
    splits: dict[SplitName, Split] = Field(description="The splits by name.")
    report_is_held_out: bool = Field(
        description="Whether nothing was chosen on the report split. False for the chapter's recipe, which validates "
        "on the test images; such a model has no certificates."
    )


class ProbabilityQuality(_Part):
    """The quality of the probabilities; definitions are in `training/reporting/evaluation/metrics.py`."""

    nll: float = Field(ge=0, description="Mean negative log-probability of the true label, natural logarithm.")
    brier: float = Field(ge=0, le=2, description="Mean squared distance to the one-hot label, summed over classes.")
    ece: float = Field(ge=0, le=1, description="Expected calibration error, 15 bins of equal width.")
    adaptive_ece: float = Field(ge=0, le=1, description="The same over 15 bins of equal counts.")


class OperatingPoint(_Part):
    """The result of a policy on the report split. A measurement; the promise is in the certificate."""

    policy: Policy = Field(description="The policy that was measured.")
    answered: int = Field(ge=0, description="The number of inputs answered.")
    errors: int = Field(ge=0, description="The number of wrong answers.")
    coverage: float = Field(ge=0, le=1, description="The share of the inputs that is answered.")
    selective_risk: float | None = Field(ge=0, le=1, description="Null if nothing was answered.")
    mean_cost: float | None = Field(
        ge=0, description="The mean cost of an input, with reject_cost for an abstention; null for other policies."
    )


class RiskCoverageCurve(_Part):
    """The results of some fifty thresholds set by hand on the report split. A measurement, not a promise.

    Decisions are the service's: inputs out of distribution are answered at no threshold. Coverage is `answered` divided
    by the size of the split, the selective risk `errors` divided by `answered`.
    """

    thresholds: FailFastList[float] = Field(description="In falling order; each is the confidence of an example.")
    answered: FailFastList[int] = Field(description="The number of examples answered at each threshold.")
    errors: FailFastList[int] = Field(description="The number of errors among them.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if not len(self.thresholds) == len(self.answered) == len(self.errors):
            raise ValueError("thresholds, answered and errors must have the same length")
        steps = zip(self.thresholds, self.thresholds[1:], strict=False)
        if any(high <= low for high, low in steps) or self.answered != sorted(set(self.answered)):
            raise ValueError("thresholds must fall and answered must rise")
        if any(not 0 <= errors <= answered for errors, answered in zip(self.errors, self.answered, strict=True)):
            raise ValueError("errors must be from 0 to the number answered")
        return self


class Metrics(ProbabilityQuality):
    """The quality on the report split, in float64. The proof showed that the file gives the same probabilities."""

    split: Literal["report"] = Field("report", description="The split of the measurement.")
    size: int = Field(ge=1, description="The number of examples.")
    accuracy: float = Field(ge=0, le=1, description="The share of correct labels if every input is answered.")
    before_temperature: ProbabilityQuality = Field(
        description="The quality of the probabilities before the temperature."
    )
    operating_points: FailFastList[OperatingPoint] = Field(description="One for each policy.")
    risk_coverage: RiskCoverageCurve = Field(description="The results of thresholds set by hand.")

    @model_validator(mode="after")
    def _answers_to_the_split(self) -> Self:
        if max(self.risk_coverage.answered, default=0) > self.size:
            raise ValueError(f"risk_coverage answers more than the {self.size} examples of the split")
        return self


class GoldenVectors(_Part):
    """A few real inputs with their expected scores, replayed wherever the file is loaded."""

    inputs: str = Field(description="The inputs' bytes in C order, as base64.")
    probabilities: FailFastList[FailFastList[float]] = Field(min_length=1)
    ood_scores: FailFastList[float] = Field(min_length=1)
    tolerance: float = Field(
        gt=0,
        le=1e-3,
        description="The maximum absolute difference of a probability, and relative difference of an ood_score.",
    )

    def decoded_inputs(self, kind: Input) -> np.ndarray:
        """The inputs, `[N, *row_shape]` in the graph's dtype.

        Raises ValueError if they are not as many as the rows of probabilities.
        """
        try:
            raw = base64.b64decode(self.inputs, validate=True)
        except binascii.Error as error:
            raise ValueError(f"golden inputs are not base64: {error}") from None
        shape = (len(self.probabilities), *kind.row_shape)
        if len(raw) != int(np.prod(shape)) * kind.dtype.itemsize:
            raise ValueError(f"golden inputs hold {len(raw)} bytes, which is not {shape} of {kind.dtype}")
        return np.frombuffer(raw, dtype=kind.dtype).reshape(shape)

    def expected(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The expected probabilities `[N, C]` and ood_scores `[N]`."""
        return np.asarray(self.probabilities, dtype=np.float32), np.asarray(self.ood_scores, dtype=np.float32)


class Manifest(_Part):
    """The manifest of a model file."""

    schema_version: Literal[6] = Field(SCHEMA_VERSION, description="The version of this schema.")
    name: Name = Field(description="The name of the model.")
    labels: FailFastList[Name] = Field(min_length=2, description="The classes, in the order of the probabilities.")
    input: Input = Field(description="The input of the graph.")
    lift: Lift | None = Field(
        description="What the logits add to the linear map; null where they are linear in the features."
    )
    temperature: float = Field(gt=0, description="The graph divides the logits by it.")
    default_policy: Policy = Field(description="The policy of requests that name none.")
    abstention: Abstention | None = Field(
        description="When the model may answer, with the evidence; null without a calibration split."
    )
    reference: Reference = Field(
        description="The distribution of the scores on a held-out split, with which drift is measured."
    )
    training: Training = Field(description="The settings of the fit.")
    data: Data = Field(description="The data of the fit, the certificates and the metrics.")
    metrics: Metrics = Field(description="The quality on the report split.")
    warnings: FailFastList[str] = Field(
        description="A sentence or two for each certified promise that the report split contradicts, by a test at the "
        "5 % level. Each starts with the policy as in a query string: `selective_risk=0.05 promises ...`. Then, if the "
        "default policy is not certified, one that says so and what to do: `The default policy ...`."
    )
    versions: dict[str, str] = Field(description="The versions of Python and of the libraries that trained the model.")
    git_revision: str | None = Field(description="The revision of the training code, if known.")
    created_at: datetime | None = Field(
        description="SOURCE_DATE_EPOCH or the time of the revision; never the clock, so that the same training gives "
        "the same bytes."
    )
    golden: GoldenVectors = Field(description="The inputs and scores that prove the file where it is loaded.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        classes = len(self.labels)
        if len(set(self.labels)) != classes:
            raise ValueError("labels must differ from one another")
        width = {len(row) for row in self.golden.probabilities}
        if width != {classes}:
            raise ValueError(f"golden probabilities are {sorted(width)} wide for {classes} labels")
        if len(self.golden.ood_scores) != len(self.golden.probabilities):
            raise ValueError("golden ood_scores and probabilities must have the same length")
        self.golden.decoded_inputs(self.input)
        self._check_reference()
        if self.abstention is not None:
            self._check_abstention(self.abstention)
        elif isinstance(self.default_policy, SelectiveRiskPolicy | RejectCostPolicy):
            raise ValueError("the default policy needs a certificate, but there is none")
        return self

    def _check_reference(self) -> None:
        if len(self.reference.labels) != len(self.labels):
            raise ValueError(
                f"the reference counts {len(self.reference.labels)} labels, but the model has {len(self.labels)}"
            )
        split = self.data.splits.get(self.reference.split)
        if split is None or split.fingerprint != self.reference.fingerprint:
            raise ValueError(f"the reference is not of the manifest's {self.reference.split} split")

    def _check_abstention(self, abstention: Abstention) -> None:
        classes = len(self.labels)
        if not self.data.report_is_held_out:
            raise ValueError("a model whose report split is not held out cannot have certificates")
        if (matrix := abstention.cost_matrix) and {len(matrix), *map(len, matrix)} != {classes}:
            raise ValueError(f"cost_matrix must be {classes} x {classes}, with one row for each label")
        for sets in abstention.prediction_sets:
            if len(sets.thresholds) != sets.expected_thresholds(classes):
                raise ValueError(f"{len(sets.thresholds)} thresholds do not fit method {sets.method}")
        calibration = self.data.splits.get("calibration")
        certificates: list[RiskCertificate | CostCertificate] = [*abstention.selective_risk, *abstention.reject_cost]
        tested: list[RiskCertificate | CostCertificate | PredictionSets] = [*certificates, *abstention.prediction_sets]
        if any(calibration is None or c.calibration_fingerprint != calibration.fingerprint for c in tested):
            raise ValueError("a certificate is not of the manifest's calibration split")
        certified = [certificate.policy() for certificate in certificates]
        needs_one = isinstance(self.default_policy, SelectiveRiskPolicy | RejectCostPolicy)
        if needs_one and self.default_policy not in certified:
            raise ValueError("the default policy is none of the certified ones")

    def card(self) -> dict[str, object]:
        """The model card: everything but the golden vectors, as JSON values."""
        return self.model_dump(mode="json", exclude={"golden"})
