"""The pages: `/`, to try the models, and `/docs`, Swagger UI on this service's own description."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request, Response

from service.http.access.scopes import OPEN, needs
from service.http.web.assets import Asset, content_security_policy, read_assets, send_asset

_FOLDER = Path(__file__).parent
# Trusted Types: the page sets text only as text, so that none becomes markup or a script.
_POLICY = f"{content_security_policy()}; require-trusted-types-for 'script'; trusted-types 'none'"
# Swagger UI sets styles on its elements and keeps its pictures in its style sheet.
_API_POLICY = content_security_policy(style_src="'unsafe-inline'", img_src="data:")


def _page(path: str, files: str, folders: Callable[[], Iterable[Path]], policy: str) -> APIRouter:
    """A page at `path`, and its files below `files`, under one content security policy."""
    router = APIRouter(include_in_schema=False)

    @cache
    def assets() -> Mapping[str, Asset]:  # read with the first request: most services never get one
        return read_assets(folders())

    @needs(OPEN)
    async def page(request: Request) -> Response:
        return send_asset(request, assets(), "index.html", policy)

    @needs(OPEN)
    async def file(request: Request, name: str) -> Response:
        return send_asset(request, assets(), name, policy)

    router.add_api_route(path, page)
    router.add_api_route(f"{files}/{{name}}", file)
    return router


def _api_folders() -> Iterable[Path]:
    """Our files, and those of Swagger UI: from a package, not from a CDN."""
    package = find_spec("fastapi_swagger")  # found without importing it
    assert package is not None
    assert package.submodule_search_locations is not None
    return [_FOLDER / "api_page", *(Path(folder) / "resources" for folder in package.submodule_search_locations)]


router = APIRouter()
router.include_router(_page("/", "/page", lambda: [_FOLDER / "page"], _POLICY))
router.include_router(_page("/docs", "/docs", _api_folders, _API_POLICY))
