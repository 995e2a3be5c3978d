"""`/model` and `/models`: which models are served, their cards, and whether they are ready."""

from typing import Any

from fastapi import APIRouter, Depends, Request

from service.http.access.scopes import PREDICT, needs
from service.http.drain import accepting
from service.http.routes.openapi_entries import MODEL_ERRORS, problem_responses
from service.http.routes.requested_model import name_parameter, requested_model
from service.http.schemas.models import ModelsResponse, ServedModelEntry, Status
from service.registry.served_model import Models, ServedModel

_MODEL_PROBLEMS = problem_responses(MODEL_ERRORS)

router = APIRouter()


@router.get("/model", responses=_MODEL_PROBLEMS)
@router.get("/models/{name}", responses=_MODEL_PROBLEMS, dependencies=[Depends(name_parameter)])
@needs(PREDICT)
async def model(request: Request) -> dict[str, Any]:
    """The model card: what the model is, what it was trained on, how good it is, and which policies it offers.

    `abstention` holds the certificates, `metrics.operating_points` the result of each policy on the report split.
    """
    model = requested_model(request)
    return {"served_as": model.ref.name, "version": model.ref.version, **model.manifest.card()}


@router.get("/models")
@needs(PREDICT)
async def models(request: Request) -> ModelsResponse:
    """The models of this service."""
    models: Models = request.app.state.registry.models
    return ModelsResponse(models=[_entry(name, served, models) for name, served in models.by_name.items()])


@router.get(
    "/models/{name}/readyz", responses=_MODEL_PROBLEMS, dependencies=[Depends(name_parameter), Depends(accepting)]
)
@needs(PREDICT)
async def model_readyz(request: Request) -> Status:
    """The model has passed its proof, and the service is not stopping."""
    requested_model(request)
    return Status(status="ready")


def _entry(name: str, served: ServedModel | None, models: Models) -> ServedModelEntry:
    return ServedModelEntry(
        name=name,
        ready=served is not None,
        version=None if served is None else served.ref.version,
        kind=None if served is None else served.manifest.input.kind,
        default=name == models.default_name,
    )
