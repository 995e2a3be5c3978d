"""API keys of every scope, and one that no file holds."""

from service.http.access import keys
from service.http.access.scopes import SCOPES

MADE = {name: keys.new(name, frozenset({name})) for name in SCOPES}
MADE["rotated"] = keys.new("rotated", frozenset({"predict"}))
MADE["unknown"] = keys.new("unknown", frozenset(SCOPES))
KEY = {name: presented for name, (presented, _) in MADE.items()}
