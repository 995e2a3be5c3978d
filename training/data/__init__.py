"""Labelled data, one module per form, all giving the same `LabelledData`."""

from training.data.dataset import Dataset, Labelled, LabelledData

__all__ = ["Dataset", "Labelled", "LabelledData"]
