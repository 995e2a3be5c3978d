"""What every answer tells a browser: to keep no copy, to guess no type, and to show it in nobody's page."""

from starlette.datastructures import MutableHeaders

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# As they go out, for who writes answers himself.
LINES = "".join(f"{name.lower()}: {value}\r\n" for name, value in _HEADERS.items()).encode()


def add_to(said: MutableHeaders) -> None:
    """Add them, but for those that an answer has already, as pages have."""
    for name, value in _HEADERS.items():
        said.setdefault(name, value)
