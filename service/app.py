"""The assembly: settings in, a complete application out. Nothing is made at import time."""

import logging

from fastapi import FastAPI

import service
from service import openapi, problems
from service.classifier import Classifier
from service.decision import is_infeasible, resolve
from service.errors import InvalidValue, SettingsError
from service.feedback import Feedback
from service.manifest import Manifest
from service.policy import Policy, PolicyRequest
from service.predict import Predictor
from service.reading.reader import reader_for
from service.request_id import RequestIdMiddleware
from service.routes import router
from service.settings import PREFIX, Settings

_log = logging.getLogger("demur")


def create_app(settings: Settings) -> FastAPI:
    """Load and prove the model, and build the application around it.

    Raises ModelError when the model may not serve, and SettingsError when the default policy is one that it is not
    certified for, so that no socket is ever opened for it.
    """
    classifier = Classifier.load(
        settings.model_path, intra_op_threads=settings.intra_op_threads, max_bytes=settings.max_model_bytes
    )
    manifest = classifier.manifest
    reader = reader_for(manifest.input, settings)
    policy = _default_policy(settings.default_policy, manifest)
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
        reader=reader,
        default_policy=policy,
    )
    app.state.feedback = Feedback(manifest, classifier.version, settings.max_feedback)
    app.include_router(router)
    problems.install(app)
    openapi.install(app, reader)
    app.add_middleware(RequestIdMiddleware)
    return app


def _default_policy(asked: PolicyRequest | None, manifest: Manifest) -> Policy:
    """Raises SettingsError where the model is not certified for it."""
    try:
        policy = manifest.default_policy if asked is None else resolve(asked, manifest.abstention)
    except InvalidValue as error:
        raise SettingsError(f"{PREFIX}DEFAULT_POLICY: {error}") from None
    if is_infeasible(policy):
        _log.warning("the default policy could not be certified: requests that name no policy are never answered")
    return policy
