"""Reads an inference request, and chooses the form of its answer."""

from service.contract.errors import MalformedBody
from service.contract.policy import PolicyRequest
from service.contract.validation import truncated
from service.http.open_inference.answer import HEADER_LENGTH, AnswerForm, InferAnswer
from service.http.open_inference.outputs import Output, check, described
from service.http.open_inference.request import read
from service.http.request_body import Headers
from service.inference.predictor import Predictor, PreparedRequest
from service.inference.readers.body import RAW

_HEADER_LENGTH = HEADER_LENGTH.lower().encode()
_MAX_FORMS = 256


class InferEndpoint:
    """A predictor under one path."""

    def __init__(self, predictor: Predictor, route: str = "") -> None:
        """`route` is the template of its route, for the fast lane."""
        self.route = route
        self.batcher = predictor.batcher
        self._predictor = predictor
        self._forms: dict[tuple[tuple[Output, ...] | None, bool, PolicyRequest | None], AnswerForm] = {}

    def prepare(self, body: bytes, headers: Headers, _: bytes = b"") -> PreparedRequest:
        """Read one request, whose body is not compressed. Raises a RequestError."""
        predictor = self._predictor
        request = read(body, _header_length(headers), predictor.classifier.manifest.input)
        form = self._form(request.outputs, request.binary, request.policy)
        # The reader of the model's kind checks limits and values.
        inputs = predictor.reader.from_body(request.inputs.tobytes(), RAW)
        writer = InferAnswer(form, request.id, headers.get(b"accept-encoding", b"").decode("latin-1"))
        unknown = predictor.reader.unknown_categories(inputs)
        return PreparedRequest(inputs, writer if unknown is None else writer.noting(unknown))

    def _form(self, outputs: tuple[Output, ...] | None, binary: bool, policy: PolicyRequest | None) -> AnswerForm:
        """Cached, since most clients request the same outputs again and again."""
        key = outputs, binary, policy
        form = self._forms.get(key)
        if form is None:
            predictor = self._predictor
            manifest = predictor.classifier.manifest
            requested = outputs or tuple(Output(name, binary, None) for name in described(manifest))
            check(requested, manifest)
            form = AnswerForm(predictor, predictor.policy(policy, within="parameters."), requested)
            if len(self._forms) >= _MAX_FORMS:
                self._forms.clear()
            self._forms[key] = form
        return form


def _header_length(headers: Headers) -> int | None:
    text = headers.get(_HEADER_LENGTH)
    if text is None:
        return None
    if not text.isdigit() or len(text) > 18:
        raise MalformedBody(f"{HEADER_LENGTH}={truncated(text.decode('latin-1'))}: it must be a number of bytes")
    return int(text)
