"""What answers tell a browser: to guess no type, to keep no copy, and to show it in nobody's page.

The last two are left out of the answers to a `POST`, which no cache keeps and no page can embed: a prediction is sent a
million times a second, and its head is to stay under the 200 bytes that `benchmarks/serving/capacity.py` assumes.
"""

from starlette.datastructures import MutableHeaders

_ALWAYS = {"X-Content-Type-Options": "nosniff"}
_BUT_TO_POST = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# As they go out in the answer to a prediction, for who writes it himself.
LINES = "".join(f"{name.lower()}: {value}\r\n" for name, value in _ALWAYS.items()).encode()


def add_to(said: MutableHeaders, method: str) -> None:
    """Add them, but for those that an answer has already, as pages have."""
    for name, value in (_ALWAYS if method == "POST" else _ALWAYS | _BUT_TO_POST).items():
        said.setdefault(name, value)
