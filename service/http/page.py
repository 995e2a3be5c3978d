"""The page at `/` and its files, those of the folder `service/page`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from service.http.assets import Asset, content_security_policy, read_assets, send_asset

_FOLDER = Path(__file__).parent.parent / "page"
# The page sets text as text alone: so no text may become markup or a script.
_POLICY = f"{content_security_policy()}; require-trusted-types-for 'script'; trusted-types 'none'"

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.head("/")
async def page(request: Request) -> Response:
    """A page to try the models in a browser."""
    return send_asset(request, _assets(), "index.html", _POLICY)


@router.get("/page/{name}")
@router.head("/page/{name}")
async def page_file(request: Request, name: str) -> Response:
    """A file of the page."""
    return send_asset(request, _assets(), name, _POLICY)


@cache
def _assets() -> Mapping[str, Asset]:
    """Read when first asked for."""
    return read_assets([_FOLDER])
