"""The contract between the halves: what `model.onnx` says about itself, under the key `demur.manifest`.

`training` writes it, `service` reads it, and both validate it with these classes. It knows neither torch,
onnxruntime nor HTTP.
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

METADATA_KEY = "demur.manifest"
SCHEMA_VERSION: Literal[5] = 5

SplitName = Literal["train", "tune", "calibration", "report"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Training(_Part):
    """The settings that the fit ran with, and where it stopped."""

    recipe: Literal["chapter", "tuned", "next-token"] = Field(description="The settings that were begun with.")
    optimizer: Literal["sgd", "adam"] = Field("sgd", description="Of adam, momentum is that of its first moment.")
    epochs: int = Field(ge=1, description="Passes over the training split.")
    batch_size: int = Field(ge=1, description="Examples in a minibatch.")
    learning_rate: float = Field(gt=0, description="The largest, where it changes.")
    momentum: float = Field(ge=0, lt=1, description="Of the descent; 0 is none.")
    weight_decay: float = Field(ge=0, description="Of the weights, not the biases.")
    schedule: Literal["constant", "cosine"] = Field(description="How the learning rate goes.")
    clip_norm: float | None = Field(gt=0, description="The largest norm of a gradient; null is no limit.")
    keep: Literal["last", "best"] = Field(description="Which epoch's weights: the last or the lowest tune loss.")
    seed: int = Field(ge=0, description="Of all that is drawn.")
    device: Literal["cpu", "cuda"] = Field(description="What it ran on.")
    precision: Literal["float32", "float64"] = Field(description="Of the fit. The file's weights are float32.")
    processes: int = Field(ge=1, description="How many shared the fit.")
    best_epoch: int = Field(ge=1, description="The epoch whose weights are in the file, from 1.")


class Split(_Part):
    """One part of the data: how many examples, drawn from what, and the SHA-256 of images and labels."""

    size: int = Field(ge=1, description="Examples in it.")
    source: str = Field(description="What they were drawn from.")
    fingerprint: Sha256 = Field(description="SHA-256 of inputs and labels.")


class Data(_Part):
    """The data set and its splits."""

    name: Name = Field(description="Of the data set.")
    fingerprint: Sha256 = Field(description="SHA-256 over the checksums of the unpacked source files.")
    splits: dict[SplitName, Split] = Field(description="By name.")
    report_is_held_out: bool = Field(
        description="Whether nothing was chosen on the report split. False for the chapter's recipe, "
        "which validates on the test images; such a model can carry no certificate."
    )


class ProbabilityQuality(_Part):
    """How far the probabilities can be believed. `training/reporting/evaluation/metrics.py` has the definitions."""

    nll: float = Field(ge=0, description="Mean negative log-probability of the true label, natural logarithm.")
    brier: float = Field(ge=0, le=2, description="Mean squared distance to the one-hot label, summed over classes.")
    ece: float = Field(ge=0, le=1, description="Expected calibration error, 15 bins of equal width.")
    adaptive_ece: float = Field(ge=0, le=1, description="The same over 15 bins of equally many examples.")


class OperatingPoint(_Part):
    """What a policy came to on the report split. A measurement; the promise is in the certificate."""

    policy: Policy = Field(description="The policy that was measured.")
    answered: int = Field(ge=0, description="Inputs answered.")
    errors: int = Field(ge=0, description="Wrong answers.")
    coverage: float = Field(ge=0, le=1, description="Share of the inputs that is answered.")
    selective_risk: float | None = Field(ge=0, le=1, description="Null where nothing was answered.")
    mean_cost: float | None = Field(
        ge=0, description="Of an input, an abstention counted at reject_cost; null for the other policies."
    )


class RiskCoverageCurve(_Part):
    """What thresholds by hand come to on the report split, some fifty of them. A measurement, and no promise.

    Decided as the service decides: what the gate turns away is answered at no threshold. Coverage is `answered` over
    the size of the split, the selective risk `errors` over `answered`.
    """

    thresholds: FailFastList[float] = Field(description="Falling; each is a confidence that an example has.")
    answered: FailFastList[int] = Field(description="Examples answered at each threshold.")
    errors: FailFastList[int] = Field(description="Wrong ones among them.")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if not len(self.thresholds) == len(self.answered) == len(self.errors):
            raise ValueError("thresholds, answered and errors must be equally many")
        steps = zip(self.thresholds, self.thresholds[1:], strict=False)
        if any(high <= low for high, low in steps) or self.answered != sorted(set(self.answered)):
            raise ValueError("thresholds must fall and answered must rise")
        if any(not 0 <= errors <= answered for errors, answered in zip(self.errors, self.answered, strict=True)):
            raise ValueError("errors must be from 0 to as many as are answered")
        return self


class Metrics(ProbabilityQuality):
    """Quality on the report split, computed in float64 from the fitted model.

    The proof before publication showed that the file gives the same labels and probabilities there.
    """

    split: Literal["report"] = Field("report", description="What was measured on.")
    size: int = Field(ge=1, description="Examples in it.")
    accuracy: float = Field(ge=0, le=1, description="Share of right labels where everything is answered.")
    before_temperature: ProbabilityQuality = Field(description="Of the probabilities as they were fitted.")
    operating_points: FailFastList[OperatingPoint] = Field(description="One a policy.")
    risk_coverage: RiskCoverageCurve = Field(description="What thresholds by hand come to.")

    @model_validator(mode="after")
    def _answers_to_the_split(self) -> Self:
        if max(self.risk_coverage.answered, default=0) > self.size:
            raise ValueError(f"risk_coverage answers more than the {self.size} examples of the split")
        return self


class GoldenVectors(_Part):
    """A few real inputs with the scores that they must give, replayed wherever the file is loaded."""

    inputs: str = Field(description="Base64 of the inputs' bytes, C order.")
    probabilities: FailFastList[FailFastList[float]] = Field(min_length=1)
    ood_scores: FailFastList[float] = Field(min_length=1)
    tolerance: float = Field(
        gt=0, le=1e-3, description="Largest absolute difference in a probability, relative in an ood_score."
    )

    def decoded_inputs(self, kind: Input) -> np.ndarray:
        """The inputs, `[N, *row_shape]` in the graph's dtype.

        Raises ValueError when the bytes are not a whole number of inputs, one a row of probabilities.
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
        """What they must give: the probabilities `[N, C]` and the ood_scores `[N]`."""
        return np.asarray(self.probabilities, dtype=np.float32), np.asarray(self.ood_scores, dtype=np.float32)


class Manifest(_Part):
    """All that a model file says about itself."""

    schema_version: Literal[5] = Field(SCHEMA_VERSION, description="Of this description.")
    name: Name = Field(description="Of the model.")
    labels: FailFastList[Name] = Field(min_length=2, description="The classes, in the order of the probabilities.")
    input: Input = Field(description="What the graph takes.")
    temperature: float = Field(gt=0, description="The logits are divided by it, inside the graph.")
    default_policy: Policy = Field(description="Of a request that names none.")
    abstention: Abstention | None = Field(
        description="When the model may answer, with the evidence; null for a model without a calibration split."
    )
    reference: Reference = Field(description="How scores fall on a held-out split; what drift is measured against.")
    training: Training = Field(description="How it was fitted.")
    data: Data = Field(description="What it was fitted, certified and measured on.")
    metrics: Metrics = Field(description="How good it is.")
    warnings: FailFastList[str] = Field(
        description="A sentence or two for each certified promise that the report split contradicts, by a test at the "
        "5 % level. Each begins with the policy as a query string names it: `selective_risk=0.05 promises ...`."
    )
    versions: dict[str, str] = Field(description="The versions of Python and of the libraries that trained it.")
    git_revision: str | None = Field(description="The revision of the training code, where there is one.")
    created_at: datetime | None = Field(
        description="SOURCE_DATE_EPOCH or the revision's time; never the clock, so that the same training "
        "gives the same bytes."
    )
    golden: GoldenVectors = Field(description="What proves the file where it is loaded.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        classes = len(self.labels)
        if len(set(self.labels)) != classes:
            raise ValueError("labels must differ from one another")
        width = {len(row) for row in self.golden.probabilities}
        if width != {classes}:
            raise ValueError(f"golden probabilities are {sorted(width)} wide for {classes} labels")
        if len(self.golden.ood_scores) != len(self.golden.probabilities):
            raise ValueError("golden ood_scores and probabilities must be equally many")
        self.golden.decoded_inputs(self.input)
        self._check_reference()
        if self.abstention is not None:
            self._check_abstention(self.abstention)
        elif isinstance(self.default_policy, SelectiveRiskPolicy | RejectCostPolicy):
            raise ValueError("the default policy needs a certificate, and there is none")
        return self

    def _check_reference(self) -> None:
        if len(self.reference.labels) != len(self.labels):
            raise ValueError(f"the reference counts {len(self.reference.labels)} labels of {len(self.labels)}")
        split = self.data.splits.get(self.reference.split)
        if split is None or split.fingerprint != self.reference.fingerprint:
            raise ValueError(f"the reference is of another {self.reference.split} split than the manifest's")

    def _check_abstention(self, abstention: Abstention) -> None:
        classes = len(self.labels)
        if not self.data.report_is_held_out:
            raise ValueError("a model whose report split is not held out can carry no certificate")
        if (matrix := abstention.cost_matrix) and {len(matrix), *map(len, matrix)} != {classes}:
            raise ValueError(f"cost_matrix must be {classes} x {classes}, one row a label")
        for sets in abstention.prediction_sets:
            if len(sets.thresholds) != sets.expected_thresholds(classes):
                raise ValueError(f"{len(sets.thresholds)} thresholds do not fit method {sets.method}")
        calibration = self.data.splits.get("calibration")
        certificates: list[RiskCertificate | CostCertificate] = [*abstention.selective_risk, *abstention.reject_cost]
        tested: list[RiskCertificate | CostCertificate | PredictionSets] = [*certificates, *abstention.prediction_sets]
        if any(calibration is None or c.calibration_fingerprint != calibration.fingerprint for c in tested):
            raise ValueError("a certificate is of another calibration split than the manifest's")
        certified = [certificate.policy() for certificate in certificates]
        needs_one = isinstance(self.default_policy, SelectiveRiskPolicy | RejectCostPolicy)
        if needs_one and self.default_policy not in certified:
            raise ValueError("the default policy is not that of one of the certificates")

    def card(self) -> dict[str, object]:
        """The model card: everything but the golden vectors, as JSON values."""
        return self.model_dump(mode="json", exclude={"golden"})
