"""The routes: HTTP in, HTTP out, and nothing in between; the work is done in `answering/`.

Those of one model stand under `/models/{name}`, and without that at the root for the default one.
"""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse

from service.contract.errors import UnsupportedType
from service.contract.validation import validated
from service.http.compression import compressed, encoding_for
from service.http.drain import accepting
from service.http.predict_request import answer
from service.http.request_body import headers_of, media_type, query_fields, read_body
from service.http.routes.openapi import FEEDBACK_BODY, answer_of, problem_responses
from service.http.routes.requested_model import named, requested_model
from service.http.schemas.models import ModelsResponse, ServedModelEntry, Status
from service.http.schemas.predict import QueryOptions
from service.inference.explanations import ExplainQuery, ExplainResponse, explain
from service.inference.model_inputs import InputsQuery, InputsResponse, samples, seen
from service.inference.readers.body import JSON
from service.inference.readers.json_body import json_object
from service.monitoring.drift.schema import DriftResponse
from service.monitoring.feedback.schema import FeedbackRequest, FeedbackResponse, PolicyFeedback
from service.monitoring.metrics.scrape import Scrape
from service.registry.served_model import Models, ServedModel

MAX_FEEDBACK_BYTES = 8 * 1024  # an id and a label need far less

# Which model is meant.
_MODEL_ERRORS = (HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
# What can go wrong with a body or an option.
_BODY_ERRORS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)

of_model = APIRouter(responses=problem_responses(_MODEL_ERRORS))


@of_model.post(
    "/predict",
    responses=answer_of("PredictResponse") | problem_responses(_BODY_ERRORS),
)
async def predict(request: Request, query: Annotated[QueryOptions, Query()]) -> Response:
    """Classify inputs: a JSON body, or another of the forms that the model takes them in.

    With a JSON body the options stand in the body, otherwise in the query string. The answer is JSON, or numbers where
    `Accept` asks for them.

    A promise does not survive asking again with a laxer policy after an abstention: those inputs are the doubtful ones.
    On Fashion-MNIST, of the inputs that abstain at `selective_risk=0.05` and are answered at 0.1, 30 % get a wrong
    label. Choose the policy before you ask.
    """
    del query  # here for the description: the answer is made of the request itself, as it is in `fast_lane.py`
    predictor = requested_model(request).predictor
    max_body_bytes = request.app.state.settings.max_body_bytes
    scope = request.scope
    found = await answer(predictor, headers_of(scope), scope["query_string"], request.receive, max_body_bytes)
    request.state.decided = found.decided
    return Response(found.body, headers=dict(found.said), media_type=found.media_type)


@of_model.post("/explain", responses=problem_responses((*_BODY_ERRORS, HTTPStatus.CONFLICT)))
async def explain_inputs(request: Request, query: Annotated[ExplainQuery, Query()]) -> ExplainResponse:
    """Say what each part of an input adds to the logit of a class. Bodies as for `/predict`.

    With a JSON body the options stand in the body, otherwise in the query string.
    """
    del query  # here for the description, as in `predict`
    model = requested_model(request)
    headers, fields = headers_of(request.scope), query_fields(request.scope["query_string"])
    body = await read_body(headers, request.receive, request.app.state.settings.max_body_bytes)
    asked = validated(ExplainQuery, fields)
    return await run_in_threadpool(explain, model.predictor, model.explainer, body, media_type(headers), asked)


@of_model.post("/inputs", responses=problem_responses(_BODY_ERRORS))
async def show_inputs(request: Request, query: Annotated[InputsQuery, Query()]) -> InputsResponse:
    """Show inputs as the model sees them: what was read of the body, a picture fitted and turned grey. Bodies as for
    `/predict`, which takes the answer as it is.
    """
    del query  # here for the description, as in `predict`
    model = requested_model(request)
    headers, fields = headers_of(request.scope), query_fields(request.scope["query_string"])
    body = await read_body(headers, request.receive, request.app.state.settings.max_body_bytes)
    asked = validated(InputsQuery, fields)
    return await run_in_threadpool(seen, model.predictor, body, media_type(headers), asked)


@of_model.get("/samples")
async def show_samples(request: Request) -> InputsResponse:
    """A few real inputs that the model's file brings, for a first try: the answer is a body for `/predict`.

    None where the service is set not to show them.
    """
    predictor = requested_model(request).predictor
    return samples(predictor) if request.app.state.settings.samples else InputsResponse(inputs=[])


@of_model.post(
    "/feedback",
    response_model=PolicyFeedback,
    openapi_extra=FEEDBACK_BODY,
    responses=problem_responses((*_BODY_ERRORS, HTTPStatus.CONFLICT)),
)
async def give_feedback(request: Request) -> PolicyFeedback:
    """Tell the true label of a prediction, when it is known. Answers where the prediction's policy stands.

    The same feedback twice counts once. An id that is older than the labels that are remembered is refused.
    """
    model = requested_model(request)
    headers = headers_of(request.scope)
    body = await read_body(headers, request.receive, MAX_FEEDBACK_BYTES)
    form = media_type(headers)
    if form != JSON:
        raise UnsupportedType(f"content type {form[:80] or 'none'} is not taken: {JSON} is")
    given = validated(FeedbackRequest, json_object(body, "id and label"))
    return model.monitor.feedback.record(given.id, given.label)


@of_model.get("/feedback")
async def feedback(request: Request) -> FeedbackResponse:
    """How often the answers were right, by policy, as far as feedback came, and whether each certificate holds."""
    model = requested_model(request)
    return FeedbackResponse(model=model.ref, policies=model.monitor.feedback.states())


@of_model.get("/drift")
async def drift(request: Request) -> DriftResponse:
    """Whether recent inputs look like the split that the promises are from, by labels and scores.

    They are compared a window at a time, so that the answer stays the same until the next window is complete.

    It cannot see errors: only feedback can. Inputs that look alike may be classified worse than they were, and others
    as well as ever.
    """
    model = requested_model(request)
    return await run_in_threadpool(model.monitor.drift.state, model.ref, model.manifest.labels)


router = APIRouter()
router.include_router(of_model)


router.include_router(of_model, prefix="/models/{name}", dependencies=[Depends(named)])


@router.get("/model", responses=problem_responses(_MODEL_ERRORS))
@router.get("/models/{name}", responses=problem_responses(_MODEL_ERRORS), dependencies=[Depends(named)])
async def model(request: Request) -> dict[str, Any]:
    """The model card: what the model is, what it was trained on, how good it is, and which policies it offers.

    `abstention` holds the certificates, `metrics.operating_points` what each policy came to on the report split.
    """
    asked = requested_model(request)
    return {"served_as": asked.ref.name, "version": asked.ref.version, **asked.manifest.card()}


@router.get("/models")
async def models(request: Request) -> ModelsResponse:
    """The models of this service."""
    held: Models = request.app.state.registry.models
    return ModelsResponse(models=[_entry(name, served, held.default_name) for name, served in held.by_name.items()])


@router.get(
    "/models/{name}/readyz",
    responses=problem_responses(_MODEL_ERRORS),
    dependencies=[Depends(named), Depends(accepting)],
)
async def model_readyz(request: Request) -> Status:
    """The model is proven and answers, and the service is not stopping."""
    requested_model(request)
    return Status(status="ready")


@router.get("/livez")
async def livez() -> Status:
    """The process answers."""
    return Status(status="live")


@router.get(
    "/readyz", responses=problem_responses((HTTPStatus.SERVICE_UNAVAILABLE,)), dependencies=[Depends(accepting)]
)
async def readyz() -> Status:
    """A proven model is loaded, without which the service does not listen, and the service is not stopping."""
    return Status(status="ready")


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """What is to be watched, for Prometheus: in its text format, or in OpenMetrics where `Accept` asks for it."""
    headers = headers_of(request.scope)
    scrape: Scrape = request.app.state.scrape
    accept = headers.get(b"accept", b"").decode("latin-1")
    body, form = await run_in_threadpool(_exposed, scrape, accept)
    said = {"Vary": "Accept, Accept-Encoding"}
    wanted = encoding_for(headers.get(b"accept-encoding", b"").decode("latin-1"), body)
    if wanted is not None:
        said["Content-Encoding"] = wanted
        body = await run_in_threadpool(compressed, body, wanted)
    return Response(body, headers=said, media_type=form)


def _exposed(scrape: Scrape, accept: str) -> tuple[bytes, str]:
    # prometheus-client is loaded with the first scrape: no start waits for it, and who is not scraped never has it.
    from service.monitoring.metrics.exposition import expose

    return expose(scrape, accept)


def _entry(name: str, served: ServedModel | None, default_name: str | None) -> ServedModelEntry:
    return ServedModelEntry(
        name=name,
        ready=served is not None,
        version=None if served is None else served.ref.version,
        kind=None if served is None else served.manifest.input.kind,
        default=name == default_name,
    )
