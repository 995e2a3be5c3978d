"""The service as a Ray Serve application, which `serve.yaml` names: one replica more is one process more, anywhere.

A replica is the application that `python -m service` serves, made from the same settings: `DEMUR_MODEL_PATH` and the
others, set in `serve.yaml` under `env_vars`. Each loads and proves the model where it works; a model that may not serve
fails the deployment.
"""

import os

# Both are read when the library is imported, and inherited by the workers.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from fastapi import FastAPI
from ray import serve

from service.app import create_app
from service.settings import Settings


def replica() -> FastAPI:
    """What one replica serves. Raises ModelError or SettingsError, which end in the deployment's status."""
    return create_app(Settings.from_environment())


class Demur:
    """Holds a replica's application: Ray Serve calls `replica` when it starts one."""


application = serve.deployment(serve.ingress(replica)(Demur)).bind()  # type: ignore[attr-defined]  # which the decorator adds
