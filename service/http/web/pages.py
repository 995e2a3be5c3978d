"""The pages: `/`, to try the models, and `/docs`, Swagger UI on this service's own description."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.types import Scope

from service.http.access.scopes import OPEN, needs

_FOLDER = Path(__file__).parent
# Python's own table has another type for scripts from one version and system to the next.
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


def content_security_policy(**additions: str) -> str:
    """Nothing from other hosts, nothing inline, no framing; `additions` extend a directive, with `_` for `-`.

    >>> content_security_policy(img_src="data:").split("; ")[:4]
    ["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:"]
    """
    own = dict.fromkeys(("script-src", "style-src", "img-src", "connect-src"), "'self'")
    for name, value in additions.items():
        own[name.replace("_", "-")] += f" {value}"
    forbidden = dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'")
    return "; ".join(f"{name} {value}" for name, value in {"default-src": "'none'", **own, **forbidden}.items())


# Trusted Types: the page sets text only as text, so that none becomes markup or a script.
_POLICY = f"{content_security_policy()}; require-trusted-types-for 'script'; trusted-types 'none'"
# Swagger UI sets styles on its elements and keeps its pictures in its style sheet.
_API_POLICY = content_security_policy(style_src="'unsafe-inline'", img_src="data:")


class PageFiles(StaticFiles):
    """The files of a page, in one or several folders, under one content security policy."""

    def __init__(self, folder: Path, packages: list[tuple[str, str]], policy: str) -> None:
        # Links are followed: some installers link the files of a package to their cache.
        super().__init__(directory=folder, packages=[*packages], follow_symlink=True)
        self._headers = {
            "Cache-Control": "no-cache",  # names do not change with their content, so a browser checks each time
            "Content-Security-Policy": policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file that a browser can use, or 304 where it has this version; 404 for any other file."""
        media_type = _MEDIA_TYPES.get(Path(full_path).suffix)
        if media_type is None:
            raise HTTPException(404)
        response = FileResponse(full_path, status_code, self._headers, media_type, stat_result=stat_result)
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return Response(status_code=304, headers={**self._headers, "ETag": response.headers["etag"]})
        return response


def _page(path: str, files_path: str, make_files: Callable[[], PageFiles]) -> APIRouter:
    """A page at `path`, and its files below `files_path`."""
    router = APIRouter(include_in_schema=False)
    files = cache(make_files)  # looked up with the first request: most services never get one

    @needs(OPEN)
    async def page(request: Request) -> Response:
        return await files().get_response("index.html", request.scope)

    @needs(OPEN)
    async def file(request: Request, name: str) -> Response:
        return await files().get_response(name, request.scope)

    router.add_api_route(path, page, methods=["GET", "HEAD"])
    router.add_api_route(f"{files_path}/{{name}}", file, methods=["GET", "HEAD"])
    return router


router = APIRouter()
router.include_router(_page("/", "/page", lambda: PageFiles(_FOLDER / "page", [], _POLICY)))
router.include_router(  # with the scripts and styles of a package, not of a CDN
    _page("/docs", "/docs", lambda: PageFiles(_FOLDER / "api_page", [("fastapi_swagger", "resources")], _API_POLICY))
)
