"""Demur on a Ray cluster."""
