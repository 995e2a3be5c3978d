"""Which model a path means: `{name}` and `{version}`, read and described in one way for every route that has them."""

from typing import Annotated

from fastapi import Path, Request

from service.contract.errors import UnknownModel
from service.contract.validation import truncated
from service.registry.registry import Registry
from service.registry.served_model import ServedModel


def requested_model(request: Request) -> ServedModel:
    """The model that the path names, or the default one. Raises UnknownModel or ModelNotReady.

    Of a version that the path names it is that one or none: there is no other.
    """
    registry: Registry = request.app.state.registry
    model = registry.models.get(request.path_params.get("name"))
    version = request.path_params.get("version", model.ref.version)
    if version != model.ref.version:
        raise UnknownModel(f"model {model.ref.name} has no version {truncated(version)}: it has {model.ref.version}")
    return model


async def named(name: Annotated[str, Path(description="Of the model, as `GET /models` lists it.")]) -> None:
    """A dependency that describes the name in the path."""


async def versioned(version: Annotated[str, Path(description="Of the model, as its metadata states it.")]) -> None:
    """A dependency that describes the version in the path."""
