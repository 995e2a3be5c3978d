"""All routes, in the order in which they are matched and described.

The routes of one model stand under `/models/{name}`, and at the root for the default model.
"""

from fastapi import APIRouter, Depends
from starlette.routing import BaseRoute

from service.http.routes import feedback, kserve_v1, models, open_inference, operations, predictions
from service.http.routes.requested_model import name_parameter
from service.http.web import pages

_of_named_model = APIRouter()
for _router in (predictions.router, feedback.router):
    _of_named_model.include_router(_router, prefix="/models/{name}", dependencies=[Depends(name_parameter)])

# The routes themselves: FastAPI builds a route again, with its models, for each router that includes it.
ROUTES: list[BaseRoute] = [
    *predictions.router.routes,
    *feedback.router.routes,
    *_of_named_model.routes,
    *models.router.routes,
    *operations.router.routes,
    *kserve_v1.router.routes,
    *open_inference.router.routes,
    *pages.router.routes,
]
