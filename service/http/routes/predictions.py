"""`/predict`, `/explain`, `/inputs` and `/samples`: what the model says of inputs, and how it sees them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from service.contract.validation import validated
from service.http.access.scopes import PREDICT, needs
from service.http.predict_request import answer
from service.http.request_body import headers_of, media_type, query_fields, read_body
from service.http.routes.openapi_entries import BODY_ERRORS, MODEL_ERRORS, answer_of, problem_responses
from service.http.routes.requested_model import requested_model
from service.http.schemas.predict import QueryOptions
from service.inference.explanations import ExplainQuery, ExplainResponse, explain
from service.inference.model_inputs import InputsQuery, InputsResponse, preprocess, samples

router = APIRouter(responses=problem_responses(MODEL_ERRORS))


@router.post("/predict", responses=answer_of("PredictResponse") | problem_responses(BODY_ERRORS))
@needs(PREDICT)
async def predict(request: Request, query: Annotated[QueryOptions, Query()]) -> Response:
    """Classify inputs: a JSON body, or another form that the model takes.

    The options of a JSON body stand in the body, those of any other in the query string. The answer is JSON, or numbers
    where `Accept` asks for them.

    Do not ask again with a laxer policy after an abstention: the inputs that abstain are the doubtful ones, and no
    promise covers such answers. On Fashion-MNIST, of the inputs that abstain at `selective_risk=0.05` and are answered
    at 0.1, 30 % get a wrong label. Choose the policy before you ask.
    """
    del query  # declared for the description: `predict_request` reads the options, as it does for the fast lane
    predictor = requested_model(request).predictor
    max_body_bytes = request.app.state.settings.max_body_bytes
    scope = request.scope
    given = await answer(predictor, headers_of(scope), scope["query_string"], request.receive, max_body_bytes)
    request.state.decided = given.decided
    return Response(given.body, headers=dict(given.headers), media_type=given.media_type)


@router.post("/explain", responses=problem_responses((*BODY_ERRORS, HTTPStatus.CONFLICT)))
@needs(PREDICT)
async def explain_inputs(request: Request, query: Annotated[ExplainQuery, Query()]) -> ExplainResponse:
    """Say what each part of an input adds to the logit of a class. Bodies and options as for `/predict`."""
    del query  # declared for the description, as in `predict`
    model = requested_model(request)
    headers, fields = headers_of(request.scope), query_fields(request.scope["query_string"])
    body = await read_body(headers, request.receive, request.app.state.settings.max_body_bytes)
    options = validated(ExplainQuery, fields)
    return await run_in_threadpool(explain, model.predictor, model.explainer, body, media_type(headers), options)


@router.post("/inputs", responses=problem_responses(BODY_ERRORS))
@needs(PREDICT)
async def show_inputs(request: Request, query: Annotated[InputsQuery, Query()]) -> InputsResponse:
    """Show inputs as the model sees them, for example a picture resized and in greyscale.

    Bodies as for `/predict`, which takes the answer as a body.
    """
    del query  # declared for the description, as in `predict`
    model = requested_model(request)
    headers, fields = headers_of(request.scope), query_fields(request.scope["query_string"])
    body = await read_body(headers, request.receive, request.app.state.settings.max_body_bytes)
    options = validated(InputsQuery, fields)
    return await run_in_threadpool(preprocess, model.predictor, body, media_type(headers), options)


@router.get("/samples")
@needs(PREDICT)
async def show_samples(request: Request) -> InputsResponse:
    """A few real inputs from the model's file, for a first try: the answer is a body for `/predict`.

    Empty where the service is configured not to show them.
    """
    predictor = requested_model(request).predictor
    return samples(predictor) if request.app.state.settings.samples else InputsResponse(inputs=[])
