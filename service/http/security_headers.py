"""Headers for browsers: no type sniffing, no caching, no embedding in another page.

Answers to a `POST` go without the last two: no cache keeps them and no page can embed them, and the head of a
prediction must stay below the 200 bytes that `benchmarks/serving/capacity.py` assumes.
"""

from starlette.datastructures import MutableHeaders

_ALWAYS = {"X-Content-Type-Options": "nosniff"}
_EXCEPT_TO_POST = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# The lines in the answer to a prediction, for code that writes answers itself.
LINES = "".join(f"{name.lower()}: {value}\r\n" for name, value in _ALWAYS.items()).encode()


def add_to(headers: MutableHeaders, method: str) -> None:
    """Add them, except those that the answer already has, as pages do."""
    for name, value in (_ALWAYS if method == "POST" else _ALWAYS | _EXCEPT_TO_POST).items():
        headers.setdefault(name, value)
