"""The assembly: settings in, a complete application out. Nothing is made at import time."""

from fastapi import FastAPI

import service
from service import openapi, problems
from service.certificates import Abstention
from service.classifier import Classifier
from service.decision import resolve
from service.errors import InvalidValue, ModelError, SettingsError
from service.feedback import Feedback
from service.images import ImageReader
from service.inputs import ImageInput, Input
from service.policy import Policy, PolicyRequest
from service.predict import Predictor
from service.request_id import RequestIdMiddleware
from service.routes import router
from service.settings import PREFIX, Settings


def create_app(settings: Settings) -> FastAPI:
    """Load and prove the model, and build the application around it.

    Raises ModelError when the model may not serve, and SettingsError when the default policy is one that it is not
    certified for, so that no socket is ever opened for it.
    """
    classifier = Classifier.load(
        settings.model_path, intra_op_threads=settings.intra_op_threads, max_bytes=settings.max_model_bytes
    )
    manifest = classifier.manifest
    asked = settings.default_policy
    app = FastAPI(
        title="Demur",
        summary=f"Classifies with {manifest.name} {classifier.version}, and says when it does not know.",
        version=service.__version__,
        docs_url=None,  # their pages load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,  # its redirects repeat the Host header, which a client may make up
        telemetry={"tracing": False, "metrics": False},
    )
    app.state.settings = settings
    app.state.predictor = Predictor(
        classifier=classifier,
        reader=_reader(manifest.input, settings),
        default_policy=manifest.default_policy if asked is None else _default_policy(asked, manifest.abstention),
    )
    app.state.feedback = Feedback(manifest, classifier.version, settings.max_feedback)
    app.include_router(router)
    problems.install(app)
    openapi.install(app)
    app.add_middleware(RequestIdMiddleware)
    return app


def _reader(kind: Input, settings: Settings) -> ImageReader:
    if not isinstance(kind, ImageInput):
        raise ModelError(f"a model of kind {kind.kind} is not served yet")
    return ImageReader(kind, settings.max_batch_size, settings.max_image_pixels)


def _default_policy(asked: PolicyRequest, abstention: Abstention | None) -> Policy:
    """Raises SettingsError where the model is not certified for it."""
    try:
        return resolve(asked, abstention)
    except InvalidValue as error:
        raise SettingsError(f"{PREFIX}DEFAULT_POLICY: {error}") from None
