"""Which model a path names: its parameters `{name}` and `{version}`, for every route that has them."""

from typing import Annotated

from fastapi import Path, Request

from service.contract.errors import UnknownModel
from service.contract.validation import truncated
from service.registry.registry import Registry
from service.registry.served_model import ServedModel


def requested_model(request: Request) -> ServedModel:
    """The model that the path names, or the default one. Raises UnknownModel or ModelNotReady.

    A model has one version; a path that names another one is unknown.
    """
    registry: Registry = request.app.state.registry
    model = registry.models.get(request.path_params.get("name"))
    version = request.path_params.get("version", model.ref.version)
    if version != model.ref.version:
        raise UnknownModel(f"model {model.ref.name} has no version {truncated(version)}: it has {model.ref.version}")
    return model


async def name_parameter(
    name: Annotated[str, Path(description="The model's name, as `GET /models` lists it.")],
) -> None:
    """A dependency that describes `{name}`."""


async def version_parameter(
    version: Annotated[str, Path(description="The model's version, as its metadata states it.")],
) -> None:
    """A dependency that describes `{version}`."""
