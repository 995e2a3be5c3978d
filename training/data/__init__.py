"""Labelled data: reading any form, checking it, and dividing it into splits."""

from training.data.dataset import Dataset, Labelled, LabelledData

__all__ = ["Dataset", "Labelled", "LabelledData"]
