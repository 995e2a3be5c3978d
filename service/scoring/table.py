"""Answers one batch of rows: the core of every way of scoring many rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.contract.errors import ScoringError
from service.contract.inputs import FeaturesInput, Kind
from service.contract.policy import Policy
from service.inference.classifier import Classifier, Scores
from service.inference.decision import ANSWERED, REASONS, outcomes
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.reader import Reader
from service.scoring.columns import arrays, select

METADATA_KEY = b"demur.scores"
_NUMBERS_AT_ONCE = 1 << 18  # 2 MB in float64
_ANSWERS = (
    pa.field("decision", pa.string(), nullable=False),
    pa.field("label", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("confidence", pa.float32(), nullable=False),
    pa.field("ood_score", pa.float32(), nullable=False),
)
_PROBABILITIES = pa.field("probabilities", pa.list_(pa.float32()))
_UNKNOWN = pa.field("unknown_categories", pa.list_(pa.string()))  # the columns; null where there are none


@dataclass(frozen=True, slots=True)
class ScoringOptions:
    """How every row is answered."""

    policy: Policy
    column: str | None = None  # the column that the model reads; None: the only one that fits
    probabilities: bool = False  # whether to write the probabilities of all classes
    resize: bool = False  # whether to fit pictures to the model's size


class Scorer:
    """Answers rows of one schema. The output has the columns that the model does not read, then the answers.

    Of those columns `renamed` has the ones with the name of an answer, such as the true `label`: name to new name.
    """

    def __init__(self, classifier: Classifier, reader: Reader, options: ScoringOptions, schema: pa.Schema) -> None:
        """Raises ScoringError if the columns do not fit the model."""
        if options.resize and not reader.resizes:
            raise ScoringError("--resize is for pictures: this model takes rows of numbers")
        self._classifier, self._options = classifier, options
        self._reader = reader.with_options(PictureOptions(resize=options.resize))
        self.columns = select(schema, classifier.manifest.input, options.column)
        self._kept = [field for field in schema if field.name not in self.columns]
        self._has_categories = _has_categories(classifier.manifest.input)
        answers = [*_ANSWERS, *[_PROBABILITIES] * options.probabilities, *[_UNKNOWN] * self._has_categories]
        self.renamed = _renamed(self._kept, answers)
        kept = [field.with_name(self.renamed.get(field.name, field.name)) for field in self._kept]
        self.schema = pa.schema([*kept, *answers])

    def description(self) -> dict[str, Any]:
        """What the answers depend on besides the rows, as JSON values."""
        return {
            "model": {"name": self._classifier.manifest.name, "version": self._classifier.version},
            "policy": self._options.policy.model_dump(mode="json"),
            "columns": list(self.columns),
            "probabilities": self._options.probabilities,
            "resize": self._options.resize,
        }

    def score(self, batch: pa.RecordBatch, first_row: int = 0) -> pa.RecordBatch:
        """Answer N rows in order; messages count rows from `first_row`.

        Raises a RequestError that names the row, the column, the value and the rule.
        """
        if not batch.num_rows:
            return pa.RecordBatch.from_pylist([], self.schema)
        kind = self._classifier.manifest.input
        inputs = self._reader.from_columns(arrays(batch, self.columns, kind, first_row), first_row)
        columns = [batch.column(field.name) for field in self._kept] + self._answers(self._scores(inputs))
        if self._has_categories:
            unknown = self._reader.unknown_categories(inputs) or [[]] * batch.num_rows
            columns.append(pa.array([names or None for names in unknown], _UNKNOWN.type))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _scores(self, inputs: NDArray[Any]) -> Scores:
        """The scores of N inputs, in small batches, so that intermediate results stay in the processor's cache."""
        size = max(1, _NUMBERS_AT_ONCE // self._classifier.manifest.input.values)
        return Scores.joined(self._classifier.scores(inputs[i : i + size]) for i in range(0, len(inputs), size))

    def _answers(self, scores: Scores) -> list[pa.Array]:
        manifest = self._classifier.manifest
        decided = outcomes(scores, self._options.policy, manifest.abstention)
        answered = decided.reasons == ANSWERED
        columns = [
            _strings(["abstain", "answer"], answered.view(np.int8)),
            _strings(manifest.labels, decided.labels, ~answered),
            _strings(REASONS, decided.reasons, answered),
            pa.array(scores.confidence),
            pa.array(scores.ood_score),
        ]
        if self._options.probabilities:
            rows, classes = scores.probabilities.shape
            offsets = pa.array(np.arange(0, rows * classes + 1, classes, dtype=np.int32))
            columns.append(pa.ListArray.from_arrays(offsets, pa.array(scores.probabilities.ravel())))
        return columns


def metadata(description: dict[str, Any]) -> dict[bytes, bytes]:
    """The metadata of a file of answers: one key, with JSON."""
    return {METADATA_KEY: json.dumps(description, sort_keys=True).encode()}


def _has_categories(kind: Kind) -> bool:
    columns = kind.columns if isinstance(kind, FeaturesInput) else None
    return any(column.categories is not None for column in columns or ())


def _renamed(kept: Sequence[pa.Field], answers: Sequence[pa.Field]) -> dict[str, str]:
    """A new name for each kept column that has the name of an answer.

    >>> fields = [pa.field(name, pa.string()) for name in ("label", "input_label", "id")]
    >>> _renamed(fields, [pa.field("label", pa.string())])
    {'label': 'input_input_label'}
    """
    names = {field.name for field in kept}
    taken = names | {field.name for field in answers}
    renamed = {}
    for name in sorted(names & {field.name for field in answers}):
        new = name
        while new in taken:
            new = f"input_{new}"
        taken.add(new)
        renamed[name] = new
    return renamed


def _strings(strings: Sequence[str], indices: Any, missing: Any = None) -> pa.Array:
    """The string at each index, `[N]`, null where `missing`."""
    return pa.array(strings, pa.string()).take(pa.array(indices, mask=missing))
