"""Scoring many rows offline: `python -m service score INPUT OUTPUT`.

`arguments` has the options and `command` the output; `table` answers one batch of rows, `columns` selects the columns
that the model reads; `pipeline` runs threads; `files` reads Parquet, and `parts` keeps finished parts for a run that
was killed. Only this package imports pyarrow, and only when it is used: the serving image does not have it.
"""
