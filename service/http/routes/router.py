"""All routes, in the order in which they are matched and described.

The routes of one model stand under `/models/{name}`, and at the root for the default model.
"""

from fastapi import APIRouter, Depends

from service.http.routes import feedback, kserve_v1, models, open_inference, operations, predictions
from service.http.routes.openapi_entries import MODEL_ERRORS, problem_responses
from service.http.routes.requested_model import name_parameter
from service.http.web import pages

_of_model = APIRouter(responses=problem_responses(MODEL_ERRORS))
_of_model.include_router(predictions.router)
_of_model.include_router(feedback.router)

router = APIRouter()
router.include_router(_of_model)
router.include_router(_of_model, prefix="/models/{name}", dependencies=[Depends(name_parameter)])
router.include_router(models.router)
router.include_router(operations.router)
router.include_router(kserve_v1.router)
router.include_router(open_inference.router)
router.include_router(pages.router)
