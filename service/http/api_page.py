"""`/docs`: Swagger UI on this service's own description, its scripts and styles from a package, not from a CDN."""

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response

from service.http.assets import Asset, content_security_policy, read_assets, send_asset

_OURS = Path(__file__).parent.parent / "api_page"
# Swagger UI sets styles in its elements, and its pictures stand in its style sheet.
_POLICY = content_security_policy(style_src="'unsafe-inline'", img_src="data:")

router = APIRouter(include_in_schema=False)


@router.get("/docs")
@router.head("/docs")
async def docs(request: Request) -> Response:
    """The page."""
    return send_asset(request, _assets(), "index.html", _POLICY)


@router.get("/docs/{name}")
@router.head("/docs/{name}")
async def docs_file(request: Request, name: str) -> Response:
    """A file of the page."""
    return send_asset(request, _assets(), name, _POLICY)


@cache
def _assets() -> Mapping[str, Asset]:
    """Read when first asked for: most services never are."""
    package = find_spec("fastapi_swagger")  # not imported: only its files are wanted
    assert package is not None
    assert package.submodule_search_locations is not None
    return read_assets([_OURS, *(Path(folder) / "resources" for folder in package.submodule_search_locations)])
