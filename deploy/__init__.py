"""How Demur runs elsewhere."""
