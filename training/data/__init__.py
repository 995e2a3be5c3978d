"""Labelled data: reading any form, checking it, and dividing it into splits."""
