"""Files for a browser: read once, then sent from memory by their exact names.

Starlette's `StaticFiles` is not used: for each client that reads slowly it holds a thread, an open file and a request
(`tests/service/http/server/test_slow_clients.py`), and its ETags are those of a time and a size.
"""

import hashlib
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from fastapi import HTTPException, Request, Response

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """One file."""

    content: bytes
    media_type: str
    etag: str


def read_assets(folders: Iterable[Path]) -> Mapping[str, Asset]:
    """The files of some folders by name, of the types that a browser uses."""
    assets = {}
    for path in (path for folder in folders for path in folder.iterdir() if path.suffix in _TYPES):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:16]
        assets[path.name] = Asset(content, _TYPES[path.suffix], f'"{digest}"')
    return assets


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


def send_asset(request: Request, assets: Mapping[str, Asset], name: str, policy: str) -> Response:
    """The file of that name under a content security policy, or 304 if the client has it. 404 for other names.

    Names do not change with their content, so a browser must check each time for a newer version.
    """
    asset = assets.get(name)
    if asset is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": asset.etag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    if _matches(request.headers.get("if-none-match", ""), asset.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


def _matches(if_none_match: str, etag: str) -> bool:
    """Whether `If-None-Match` names this version, by weak comparison.

    >>> _matches('"a", W/"b"', '"b"'), _matches("*", '"b"'), _matches("", '"b"')
    (True, True, False)
    """
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return bool({etag, "*"} & tags)
