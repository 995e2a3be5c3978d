"""Files for a browser: read once, sent by their exact names, and again only where they have changed."""

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
    """The files of some folders, by name, as far as a browser has a use for them."""
    found = {}
    for path in (path for folder in folders for path in folder.iterdir() if path.suffix in _TYPES):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:16]
        found[path.name] = Asset(content, _TYPES[path.suffix], f'"{digest}"')
    return found


def content_security_policy(**more: str) -> str:
    """Nothing from elsewhere, nothing inline, in nobody's frame; `more` adds to a directive, `_` for `-`.

    >>> content_security_policy(img_src="data:").split("; ")[:4]
    ["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:"]
    """
    own = dict.fromkeys(("script-src", "style-src", "img-src", "connect-src"), "'self'")
    for name, value in more.items():
        own[name.replace("_", "-")] += f" {value}"
    refused = dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'")
    return "; ".join(f"{name} {value}" for name, value in {"default-src": "'none'", **own, **refused}.items())


def send_asset(request: Request, assets: Mapping[str, Asset], name: str, policy: str) -> Response:
    """The file of that name under a content security policy, or 304 where the client has it. 404 for another name.

    Names do not change with their content, so a browser asks each time whether it has the newest.
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
    if _has(request.headers.get("if-none-match", ""), asset.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


def _has(if_none_match: str, etag: str) -> bool:
    """Whether a client has this version, by weak comparison.

    >>> _has('"a", W/"b"', '"b"'), _has("*", '"b"'), _has("", '"b"')
    (True, True, False)
    """
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return bool({etag, "*"} & tags)
