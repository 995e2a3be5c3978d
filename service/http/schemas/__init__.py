"""Bodies on the wire that only HTTP has."""
