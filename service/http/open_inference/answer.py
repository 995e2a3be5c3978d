"""Writes the answers to inference requests."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import orjson

from service.contract.policy import Policy
from service.http.compression import compressed, encoding_for
from service.http.open_inference import outputs
from service.http.open_inference.outputs import TEXTS, Output
from service.http.open_inference.tensors import to_bytes
from service.inference.answers.answer import WrittenAnswer
from service.inference.batching import RequestScores
from service.inference.decision import REASONS, Decision, decide, limits, tally
from service.inference.outcome import Outcome
from service.inference.predictor import Predictor
from service.inference.readers.body import JSON, RAW

_MAX_ENTRIES = 256
HEADER_LENGTH = "Inference-Header-Content-Length"


class _Column(NamedTuple):
    name: str
    datatype: str
    row_shape: list[int]
    is_binary: bool


class AnswerForm:
    """Answers with the same outputs under the same policy."""

    def __init__(self, predictor: Predictor, policy: Policy, requested: Sequence[Output]) -> None:
        manifest = predictor.classifier.manifest
        self._model = model = predictor.model_ref
        self._abstention = manifest.abstention
        self._labels = manifest.labels
        self._policy = policy
        self._limits = limits(policy, manifest.abstention)
        self._single_outcomes = {reason: Outcome(model, policy, tally([reason])) for reason in (None, *REASONS)}
        self._classification = next((output.classification for output in requested if output.classification), None)
        described = outputs.described(manifest)
        self._columns = [self._column(output, *described[output.name]) for output in requested]
        names = {output.name for output in requested}
        self._sets = outputs.sets_of(manifest) if "prediction_set" in names else None
        self._has_texts = not names.isdisjoint(TEXTS)
        self._binary = [(c.name, c.datatype) for c in self._columns if c.is_binary]
        self._lists = {c.name for c in self._columns if c.datatype == "FP32" and not c.is_binary}
        self._arrays = [c.name for c in self._columns if c.datatype == "FP32" and c.is_binary]
        self.top_k = min(self._classification or 1, len(manifest.labels))
        self.needs_all_probabilities = "probabilities" in self._lists or self._sets is not None
        self.media_type = RAW if any(output.binary for output in requested) else JSON
        self._head = b'{"model_name":%b,"model_version":%b' % (orjson.dumps(model.name), orjson.dumps(model.version))
        parameters = {"policy": policy.kind, **policy.model_dump(exclude={"kind"}, exclude_none=True)}
        self._entries_by_sizes: dict[tuple[int, ...], bytes] = {}
        self._parameters = b',"parameters":%b,"outputs":' % orjson.dumps(parameters)

    def _column(self, output: Output, datatype: str, shape: list[int]) -> _Column:
        if output.classification is not None:
            return _Column(output.name, "BYTES", [min(output.classification, shape[1])], output.binary)
        return _Column(output.name, datatype, shape[1:], output.binary)

    def write(self, scores: RequestScores, request_id: str | None, unknown: int) -> tuple[bytes, int | None, Outcome]:
        """The body, the length of its JSON if binary data follows, and the outcome; `unknown` as in Outcome."""
        decisions, outcome = self._decided(scores, unknown)
        values = self._values(scores, decisions)
        binary = [to_bytes(values[name], datatype) for name, datatype in self._binary]
        named = b"" if request_id is None else b',"id":' + orjson.dumps(request_id)
        entries = self._entries(len(decisions), values, list(map(len, binary)))
        text = b"%b%b%b%b}" % (self._head, named, self._parameters, entries)
        if not binary:
            return text, None, outcome
        return b"".join([text, *binary]), len(text), outcome

    def _entries(self, count: int, values: Mapping[str, Any], sizes: Sequence[int]) -> bytes:
        """The outputs of N inputs in the JSON; `sizes` are those of the binary data, in bytes."""
        if len(sizes) < len(self._columns):
            return self._written(count, values, sizes)
        # Without values, only a few forms exist.
        key = count, *sizes
        entries = self._entries_by_sizes.get(key)
        if entries is None:
            entries = self._written(count, values, sizes)
            if len(self._entries_by_sizes) >= _MAX_ENTRIES:
                self._entries_by_sizes.clear()
            self._entries_by_sizes[key] = entries
        return entries

    def _written(self, count: int, values: Mapping[str, Any], sizes: Sequence[int]) -> bytes:
        remaining = iter(sizes)
        entries = []
        for name, datatype, row_shape, is_binary in self._columns:
            entry: dict[str, Any] = {"name": name, "shape": [count, *row_shape], "datatype": datatype}
            if is_binary:
                entry["parameters"] = {"binary_data_size": next(remaining)}
            else:
                entry["data"] = values[name]
            entries.append(entry)
        return orjson.dumps(entries)

    def _decided(self, scores: RequestScores, unknown: int) -> tuple[Sequence[Decision], Outcome]:
        if len(scores.confidence) == 1 and self._limits is not None and not unknown:
            decision = self._limits.decision(scores.likeliest[0][0], scores.confidence[0], scores.ood_score[0])
            return [decision], self._single_outcomes[decision.reason]
        decisions = decide(scores.scores, self._policy, self._abstention)
        decided = tally(decision.reason for decision in decisions)
        return decisions, Outcome(self._model, self._policy, decided, unknown)

    def _values(self, scores: RequestScores, decisions: Sequence[Decision]) -> dict[str, Any]:
        """The values of at least the requested outputs by name: flat lists, or arrays of numbers for binary data."""
        values: dict[str, Any] = outputs.texts(decisions, self._labels) if self._has_texts else {}
        values["confidence"], values["ood_score"] = scores.confidence, scores.ood_score
        if "probabilities" in self._lists:
            values["probabilities"] = list(chain.from_iterable(scores.probabilities))
        elif self._classification is not None:
            values["probabilities"] = outputs.classified(scores, self._classification, self._labels)
        if self._sets is not None:
            values["prediction_set"] = outputs.set_members(scores, self._sets)
        for name in self._arrays:
            values[name] = getattr(scores.batch, name)[scores.rows]
        return values


class InferAnswer(NamedTuple):
    """Writes the answer to one request."""

    form: AnswerForm
    request_id: str | None
    accept_encoding: str
    unknown: int = 0  # inputs with an unknown category

    @property
    def top_k(self) -> int:
        """How many of the likeliest labels it needs."""
        return self.form.top_k

    @property
    def needs_all_probabilities(self) -> bool:
        """Whether it needs the probability of every class as a Python number."""
        return self.form.needs_all_probabilities

    @property
    def media_type(self) -> str:
        """The content type of the body."""
        return self.form.media_type

    def write(self, scores: RequestScores) -> WrittenAnswer:
        """Write the answer."""
        body, header_length, outcome = self.form.write(scores, self.request_id, self.unknown)
        headers = {"Vary": "Accept-Encoding"}
        if header_length is not None:
            headers[HEADER_LENGTH] = str(header_length)
        encoding = encoding_for(self.accept_encoding, body)
        if encoding is not None:
            headers["Content-Encoding"] = encoding
            body = compressed(body, encoding)
        return WrittenAnswer(body, outcome, headers)

    def noting(self, unknown: Sequence[Sequence[str]]) -> "InferAnswer":
        """The same writer, for one request with unknown categories: no output names them."""
        return self._replace(unknown=sum(map(bool, unknown)))
