"""Measurements of a model on the report split. None of them decides anything."""
