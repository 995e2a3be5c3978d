"""Pydantic models of bodies that only HTTP has."""
