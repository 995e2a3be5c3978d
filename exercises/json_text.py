"""JSON for a person: what is short on one line, what is not over several."""

import json
from typing import Any


def folded(value: Any, width: int = 116, indent: int = 0) -> str:
    """JSON in lines of at most `width` characters where that can be.

    >>> print(folded({"label": "(", "top_k": [{"label": "(", "probability": 0.75}]}, width=50))
    {"label": "(",
     "top_k": [{"label": "(", "probability": 0.75}]}
    """
    short = json.dumps(value, ensure_ascii=False)
    if indent + len(short) <= width or not isinstance(value, dict | list):
        return short
    inner = indent + 1
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {folded(item, width, inner)}" for key, item in value.items()]
        opening, closing = "{}"
    else:
        parts = [folded(item, width, inner) for item in value]
        opening, closing = "[]"
    return opening + f",\n{' ' * inner}".join(parts) + closing
