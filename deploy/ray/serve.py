"""The service as a Ray Serve application, for `serve.yaml`. Each replica is one process, on any node.

A replica is the application of `python -m service`, with the same settings: `DEMUR_MODEL_PATH` and the others, set in
`serve.yaml` under `env_vars`. Each replica loads and proves the model on its own node; a model that fails its proof
fails the deployment.
"""

import os

# The libraries read these at import; workers inherit them.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from fastapi import FastAPI
from ray import serve

from service.app import create_app
from service.settings import Settings


def replica() -> FastAPI:
    """The application of one replica. Raises ModelError or SettingsError, which show in the deployment's status."""
    return create_app(Settings.from_environment())


class Demur:
    """Holds a replica's application: Ray Serve calls `replica` when it starts one."""


application = serve.deployment(serve.ingress(replica)(Demur)).bind()  # type: ignore[attr-defined]  # which the decorator adds
