"""The page at `/` and its files: those of the folder `service/page`, by their exact names, and nothing else."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from service.http.assets import Asset, content_security_policy, read_assets, send_asset

_FOLDER = Path(__file__).parent.parent / "page"
_POLICY = content_security_policy(img_src="blob:")  # as a picture is that is drawn or chosen

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
    """Read when first asked for: most services never are."""
    return read_assets([_FOLDER])
