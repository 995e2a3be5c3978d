"""Labelled data, one module per form, all giving the same `Dataset`."""

from training.data.dataset import Dataset, Labelled

__all__ = ["Dataset", "Labelled"]
