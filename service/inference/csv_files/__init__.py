"""Reads CSV files as they come, for the training job and `demur score`: rows are scored as they were learned from.

Only these two import it: the serving image has no pyarrow.
"""
