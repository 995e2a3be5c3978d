"""Labelled data: one module for each form of file, all giving the same `LabelledData`."""
