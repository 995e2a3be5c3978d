"""From a request's body to its answer's: read, score, decide, write. Of HTTP it knows the content types."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
from numpy.typing import NDArray

from service.contract.errors import InvalidValue
from service.contract.policy import Policy, PolicyRequest
from service.contract.validation import display, validated
from service.inference.answers.answer import AnswerWriter, WrittenAnswer
from service.inference.answers.binary_answer import BINARY, BinaryAnswer
from service.inference.answers.json_answer import JsonAnswer
from service.inference.batching import Batcher, Rows
from service.inference.classifier import Classifier, Scores
from service.inference.decision import resolve
from service.inference.options import DEFAULT_TOP_K, MANY_CLASSES, NO_OPTIONS, Options, PredictRequest
from service.inference.outcome import ModelRef
from service.inference.prediction_id import PredictionIds
from service.inference.prediction_sets import choose
from service.inference.readers.body import JSON
from service.inference.readers.json_body import json_object, may_hold_booleans
from service.inference.readers.picture_options import PictureOptions
from service.inference.readers.reader import Reader, read_other

_MAX_WRITERS = 256
MAX_BATCHED_INPUTS = 64  # inputs scored in one run for requests that came together

Observer = Callable[[Scores], None]

# The options of an answer in JSON; one in numbers has all of the scores, and no sets.
_OF_JSON = ("top_k", "probabilities", "set_coverage", "set_method")


class PreparedRequest(NamedTuple):
    """A request, read: what is to be scored, and how the answer is written."""

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
        """`observers` are told of all scores, and must be quick."""
        self.model_ref = ModelRef(name=name, version=classifier.version)
        self.classifier = classifier
        self.reader = reader
        self._number_reader = reader.with_options(PictureOptions(check_booleans=False))
        self.default_policy = default_policy
        # Not a method: so nothing here refers to itself, and a model that another has replaced is gone at once.
        self.scores = partial(_scored, classifier, tuple(observers))
        self._ids = ids
        self._known: dict[bytes, Options] = {}  # by their JSON
        self._writers: dict[tuple[Options, str, str], AnswerWriter] = {}
        self._plain = self._json_answer(NO_OPTIONS, "", JSON)
        self.batcher = Batcher(self.scores, MAX_BATCHED_INPUTS)

    def question(
        self, body: bytes, media_type: str, query: Options = NO_OPTIONS, wanted: str = JSON
    ) -> PreparedRequest:
        """Read one request whose answer is wanted in JSON or one of BINARY.

        The `media_type` of a form is with its boundary. `query` holds the options of its query string, for all bodies
        but JSON. Raises the RequestError that says what is wrong with it.
        """
        options, inputs = self._read(body, media_type, query)
        within = "policy." if media_type == JSON else ""  # in the query string its fields stand beside the others
        return self.asked(inputs, options, within=within, wanted=wanted)

    def asked(self, inputs: NDArray[Any], options: Options, *, within: str, wanted: str = JSON) -> PreparedRequest:
        """A request that is read already; `within` as in `resolve`. Raises InvalidValue for what the model has not."""
        if options is NO_OPTIONS and wanted == JSON:
            return PreparedRequest(inputs, self._plain)
        return PreparedRequest(inputs, self._writer(options, within, wanted))

    def _writer(self, options: Options, within: str, wanted: str) -> AnswerWriter:
        """Made once for what is asked again and again."""
        key = options, within, wanted
        writer = self._writers.get(key)
        if writer is None:
            make = self._binary_answer if wanted in BINARY else self._json_answer
            writer = make(options, within, wanted)
            if len(self._writers) >= _MAX_WRITERS:
                self._writers.clear()
            self._writers[key] = writer
        return writer

    def answer(self, question: PreparedRequest) -> WrittenAnswer:
        """The answer, in this thread."""
        writer = question.writer
        return writer.write(Rows.of(self.scores(question.inputs), writer.k, whole=writer.whole))

    async def answer_with_others(self, question: PreparedRequest) -> WrittenAnswer:
        """The same, scored together with the others that are asked now. For small ones: the event loop does it."""
        writer = question.writer
        return writer.write(await self.batcher.rows(question.inputs, writer.k, writer.whole))

    def _read(self, body: bytes, media_type: str, query: Options) -> tuple[Options, NDArray[Any]]:
        if media_type == JSON:
            if query is not NO_OPTIONS:
                raise InvalidValue("query", " string: with a JSON body the options belong in the body")
            return self._read_json(body)
        return query, read_other(self.reader, PictureOptions(query.resize, query.invert), body, media_type)

    def _read_json(self, body: bytes) -> tuple[Options, NDArray[Any]]:
        sent = json_object(body, "inputs")
        check_booleans = may_hold_booleans(body)
        inputs = sent.get("inputs")
        if len(sent) == 1 and type(inputs) is list:  # which is all that the schema asks of it
            return NO_OPTIONS, (self.reader if check_booleans else self._number_reader).from_json(inputs)
        if type(inputs) is not list:
            inputs = validated(PredictRequest, sent).inputs  # which says what is wrong
        sent.pop("inputs")
        options = self._options(sent)
        pictures = PictureOptions(options.resize, options.invert, check_booleans)
        return options, self.reader.with_options(pictures).from_json(inputs)

    def _options(self, sent: dict[str, Any]) -> Options:
        """Validated once for what is asked again and again."""
        key = orjson.dumps(sent)
        options = self._known.get(key)
        if options is None:
            options = validated(Options, sent)
            if len(self._known) >= _MAX_WRITERS:
                self._known.clear()
            self._known[key] = options
        return options

    def policy(self, asked: PolicyRequest | None, *, within: str) -> Policy:
        """The policy that decides; `within` as in `resolve`, whose InvalidValue it raises."""
        if asked is None:
            return self.default_policy
        return resolve(asked, self.classifier.manifest.abstention, within=within)

    def _json_answer(self, options: Options, within: str, _: str) -> JsonAnswer:
        manifest = self.classifier.manifest
        classes = len(manifest.labels)
        k = min(DEFAULT_TOP_K, classes) if options.top_k is None else options.top_k
        if not 1 <= k <= classes:
            raise InvalidValue("top_k", f"={display(k)} is out of range: 1 to {classes}")
        many = classes > MANY_CLASSES
        named = options.set_coverage is not None or options.set_method is not None
        sets = None if many and not named else choose(manifest.abstention, options.set_coverage, options.set_method)
        return JsonAnswer(
            self.model_ref,
            manifest.labels,
            manifest.abstention,
            self.policy(options.policy, within=within),
            self._ids,
            k=k,
            probabilities=not many if options.probabilities is None else options.probabilities,
            sets=sets,
        )

    def _binary_answer(self, options: Options, within: str, wanted: str) -> BinaryAnswer:
        for field in _OF_JSON:
            if getattr(options, field) is not None:
                raise InvalidValue(field, f" is for answers in {JSON}: one in {wanted} has the scores of every class")
        policy = self.policy(options.policy, within=within)
        return BinaryAnswer(self.model_ref, self.classifier.manifest.abstention, policy, wanted)


def _scored(classifier: Classifier, observers: Sequence[Observer], inputs: NDArray[Any]) -> Scores:
    """Score inputs as the reader gives them, and tell the observers."""
    scores = classifier.scores(inputs)
    for observe in observers:
        observe(scores)
    return scores
