"""Drift: recent inputs compared with the split that the promises come from."""
