"""One batch of rows in, one batch of answers out: what every way of scoring many rows calls."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.contract.errors import ScoringError
from service.contract.policy import Policy
from service.inference.classifier import Classifier, Scores
from service.inference.decision import ANSWERED, REASONS, outcomes
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.reader import Reader
from service.scoring.columns import arrays, chosen

METADATA_KEY = b"demur.scores"
_NUMBERS_AT_ONCE = 1 << 18  # 2 MB as the graph has them
_ANSWERS = (
    pa.field("decision", pa.string(), nullable=False),
    pa.field("label", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("confidence", pa.float32(), nullable=False),
    pa.field("ood_score", pa.float32(), nullable=False),
)
_PROBABILITIES = pa.field("probabilities", pa.list_(pa.float32()))


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of every row."""

    policy: Policy
    column: str | None = None  # the one that the model reads; None: the only one that fits
    probabilities: bool = False  # whether those of all classes are wanted
    resize: bool = False  # whether pictures are fitted to the model's size


class Scorer:
    """Answers rows of one schema: all columns that the model does not read, then what it says."""

    def __init__(self, classifier: Classifier, reader: Reader, asked: Asked, schema: pa.Schema) -> None:
        """Raises ScoringError where the columns do not fit the model, or one has the name of an answer's."""
        if asked.resize and not reader.resizes:
            raise ScoringError("--resize is for pictures: this model takes rows of numbers")
        self._classifier, self._asked = classifier, asked
        self._reader = reader.with_options(PictureOptions(resize=asked.resize))
        self.columns = chosen(schema, classifier.manifest.input, asked.column)
        self._kept = [field for field in schema if field.name not in self.columns]
        answers = [*_ANSWERS, _PROBABILITIES] if asked.probabilities else [*_ANSWERS]
        clashes = {field.name for field in self._kept} & {field.name for field in answers}
        if clashes:
            raise ScoringError(f"column {min(clashes)!r} has the name of one that is written: rename it")
        self.schema = pa.schema([*self._kept, *answers])

    def described(self) -> dict[str, Any]:
        """What the answers depend on beside the rows, as JSON values."""
        return {
            "model": {"name": self._classifier.manifest.name, "version": self._classifier.version},
            "policy": self._asked.policy.model_dump(mode="json"),
            "columns": list(self.columns),
            "probabilities": self._asked.probabilities,
            "resize": self._asked.resize,
        }

    def score(self, batch: pa.RecordBatch, first_row: int = 0) -> pa.RecordBatch:
        """Answer N rows, in their order; messages count rows from `first_row`.

        Raises the RequestError that names the row, the column, what came and what is allowed.
        """
        if not batch.num_rows:
            return pa.RecordBatch.from_pylist([], self.schema)
        kind = self._classifier.manifest.input
        columns = arrays(batch, self.columns, kind, first_row)
        inputs = self._reader.from_columns(columns, first_row)
        kept = [batch.column(field.name) for field in self._kept]
        return pa.RecordBatch.from_arrays([*kept, *self._answers(self._scores(inputs))], schema=self.schema)

    def _scores(self, inputs: NDArray[Any]) -> Scores:
        """Of N inputs, some at a time: what the graph makes of them on its way then stays in the processor's cache."""
        size = max(1, _NUMBERS_AT_ONCE // self._classifier.manifest.input.values)
        return Scores.joined(self._classifier.scores(inputs[i : i + size]) for i in range(0, len(inputs), size))

    def _answers(self, scores: Scores) -> list[pa.Array]:
        manifest = self._classifier.manifest
        found = outcomes(scores, self._asked.policy, manifest.abstention)
        answered = found.reasons == ANSWERED
        columns = [
            _words(["abstain", "answer"], answered.view(np.int8)),
            _words(manifest.labels, found.labels, ~answered),
            _words(REASONS, found.reasons, answered),
            pa.array(scores.confidence),
            pa.array(scores.ood_score),
        ]
        if self._asked.probabilities:
            rows, classes = scores.probabilities.shape
            offsets = pa.array(np.arange(0, rows * classes + 1, classes, dtype=np.int32))
            columns.append(pa.ListArray.from_arrays(offsets, pa.array(scores.probabilities.ravel())))
        return columns


def metadata(described: dict[str, Any]) -> dict[bytes, bytes]:
    """What a file of answers says of itself, under one key, as JSON."""
    return {METADATA_KEY: json.dumps(described, sort_keys=True).encode()}


def _words(words: Sequence[str], places: Any, missing: Any = None) -> pa.Array:
    """The word at each place, `[N]`, null where `missing`."""
    return pa.array(words, pa.string()).take(pa.array(places, mask=missing))
