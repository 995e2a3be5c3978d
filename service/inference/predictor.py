"""Answers a request for predictions: read the body, score, decide, write. Of HTTP it knows only the content types."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from numpy.typing import NDArray

from service.contract.errors import InvalidValue
from service.contract.policy import POLICY_FIELDS, Policy, PolicyRequest
from service.contract.validation import display, validated
from service.inference.answers.answer import AnswerWriter, WrittenAnswer
from service.inference.answers.binary_answer import BINARY, BinaryAnswer
from service.inference.answers.json_answer import JsonAnswer
from service.inference.batching import Batcher, RequestScores
from service.inference.classifier import Classifier, Scores
from service.inference.decision import resolve
from service.inference.options import DEFAULT_TOP_K, MANY_CLASSES, NO_OPTIONS, Options, PredictRequest
from service.inference.outcome import ModelRef
from service.inference.prediction_id import PredictionIds
from service.inference.prediction_sets import choose
from service.inference.readers.body import JSON
from service.inference.readers.json_body import json_object, may_hold_booleans
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.reader import Reader, read_json, read_other

_MAX_WRITERS = 256
MAX_BATCHED_INPUTS = 64  # inputs in one run of the graph for requests that arrive together

Observer = Callable[[Scores], None]

# Options of a JSON answer. A binary answer has all scores and no prediction sets.
_JSON_ONLY = ("top_k", "probabilities", "set_coverage", "set_method")


class PreparedRequest(NamedTuple):
    """A request that has been read: the inputs to score, and the writer of the answer."""

    inputs: NDArray[Any]
    writer: AnswerWriter


class Predictor:
    """Answers `POST /predict` with one model; safe to share between threads."""

    def __init__(
        self,
        name: str,
        classifier: Classifier,
        reader: Reader,
        default_policy: Policy,
        ids: PredictionIds,
        observers: Sequence[Observer] = (),
    ) -> None:
        """`observers` are called with all scores, and must be quick."""
        self.model_ref = ModelRef(name=name, version=classifier.version)
        self.classifier = classifier
        self.reader = reader
        self._reader_of_numbers = reader.with_options(PictureOptions(check_booleans=False))
        self.default_policy = default_policy
        # Not a method: nothing here refers to itself, so a replaced model is freed at once.
        self.scores = partial(_scored, classifier, tuple(observers))
        self._ids = ids
        self._options_by_json: dict[bytes, Options] = {}
        self._writers: dict[tuple[Options, str, str], AnswerWriter] = {}
        self._default_writer: AnswerWriter = self._json_answer(NO_OPTIONS, "", JSON)
        self.batcher = Batcher(self.scores, MAX_BATCHED_INPUTS)

    def prepare(
        self, body: bytes, media_type: str, query: Options = NO_OPTIONS, answer_type: str = JSON
    ) -> PreparedRequest:
        """Read one request. Its answer is written as `answer_type`: JSON, or one of BINARY.

        The `media_type` of a form includes its boundary. `query` holds the options of the query string, for every body
        but JSON. Raises a RequestError that names what is wrong.
        """
        options, inputs = self._read(body, media_type, query)
        within = "policy." if media_type == JSON else ""  # a query string has no objects
        return self.prepare_inputs(inputs, options, within=within, answer_type=answer_type)

    def prepare_inputs(
        self, inputs: NDArray[Any], options: Options, *, within: str, answer_type: str = JSON
    ) -> PreparedRequest:
        """As `prepare`, for inputs that have been read; `within` as in `resolve`.

        Raises InvalidValue for options that the model cannot follow.
        """
        plain = options is NO_OPTIONS and answer_type == JSON
        writer = self._default_writer if plain else self._writer(options, within, answer_type)
        unknown = self.reader.unknown_categories(inputs)
        return PreparedRequest(inputs, writer if unknown is None else writer.noting(unknown))

    def _writer(self, options: Options, within: str, answer_type: str) -> AnswerWriter:
        """Cached, since most clients send the same options again and again."""
        key = options, within, answer_type
        writer = self._writers.get(key)
        if writer is None:
            make = self._binary_answer if answer_type in BINARY else self._json_answer
            writer = make(options, within, answer_type)
            if len(self._writers) >= _MAX_WRITERS:
                self._writers.clear()
            self._writers[key] = writer
        return writer

    def answer(self, request: PreparedRequest) -> WrittenAnswer:
        """Score and answer in this thread."""
        writer = request.writer
        scores = self.scores(request.inputs)
        return writer.write(RequestScores.of(scores, writer.top_k, all_probabilities=writer.needs_all_probabilities))

    async def answer_batched(self, request: PreparedRequest) -> WrittenAnswer:
        """Score together with the other requests of this turn of the event loop. For small requests: it runs on it."""
        writer = request.writer
        return writer.write(await self.batcher.scores(request.inputs, writer.top_k, writer.needs_all_probabilities))

    def _read(self, body: bytes, media_type: str, query: Options) -> tuple[Options, NDArray[Any]]:
        if media_type == JSON:
            if query is not NO_OPTIONS:
                raise InvalidValue("query", " string: with a JSON body the options belong in the body")
            return self._read_json(body)
        return query, read_other(self.reader, PictureOptions(query.resize, query.invert), body, media_type)

    def _read_json(self, body: bytes) -> tuple[Options, NDArray[Any]]:
        values = json_object(body, "inputs")
        check_booleans = may_hold_booleans(body)
        inputs = values.get("inputs")
        reader = self.reader if check_booleans else self._reader_of_numbers
        if len(values) == 1 and type(inputs) is list:  # satisfies the schema
            return NO_OPTIONS, read_json(reader, inputs)
        if type(inputs) is not list:
            inputs = validated(PredictRequest, values).inputs  # raises what is wrong
        values.pop("inputs")
        options = self._options(values)
        if options.resize or options.invert:
            reader = reader.with_options(PictureOptions(options.resize, options.invert, check_booleans))
        return options, read_json(reader, inputs)

    def _options(self, values: dict[str, Any]) -> Options:
        """Cached, as the writers are."""
        key = orjson.dumps(values)
        options = self._options_by_json.get(key)
        if options is None:
            for name in POLICY_FIELDS:
                if name in values:
                    place = f'in JSON a policy is an object, "policy": {{"{name}": ...}}'
                    raise InvalidValue(name, f": no such field; {place}")
            options = validated(Options, values)
            if len(self._options_by_json) >= _MAX_WRITERS:
                self._options_by_json.clear()
            self._options_by_json[key] = options
        return options

    def policy(self, requested: PolicyRequest | None, *, within: str) -> Policy:
        """The policy that decides; `within` as in `resolve`, whose InvalidValue it raises."""
        if requested is None:
            return self.default_policy
        return resolve(requested, self.classifier.manifest.abstention, within=within)

    def _json_answer(self, options: Options, within: str, _: str) -> JsonAnswer:
        manifest = self.classifier.manifest
        classes = len(manifest.labels)
        top_k = min(DEFAULT_TOP_K, classes) if options.top_k is None else options.top_k
        if not 1 <= top_k <= classes:
            raise InvalidValue("top_k", f"={display(top_k)} is out of range: 1 to {classes}")
        many = classes > MANY_CLASSES
        names_sets = options.set_coverage is not None or options.set_method is not None
        sets = None
        if names_sets or not many:
            sets = choose(manifest.abstention, options.set_coverage, options.set_method)
        return JsonAnswer(
            self.model_ref,
            manifest.labels,
            manifest.abstention,
            self.policy(options.policy, within=within),
            self._ids,
            top_k=top_k,
            probabilities=not many if options.probabilities is None else options.probabilities,
            sets=sets,
        )

    def _binary_answer(self, options: Options, within: str, media_type: str) -> BinaryAnswer:
        for field in _JSON_ONLY:
            if getattr(options, field) is not None:
                raise InvalidValue(
                    field, f" is for answers in {JSON}: one in {media_type} has the scores of every class"
                )
        policy = self.policy(options.policy, within=within)
        return BinaryAnswer(self.model_ref, self.classifier.manifest.abstention, policy, media_type)


def _scored(classifier: Classifier, observers: Sequence[Observer], inputs: NDArray[Any]) -> Scores:
    """Score inputs, and pass the scores to the observers."""
    scores = classifier.scores(inputs)
    for observe in observers:
        observe(scores)
    return scores
