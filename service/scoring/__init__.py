"""Scoring many rows offline: `python -m service score INPUT OUTPUT`.

`arguments` are the options and `command` is what a person sees; `table` makes answers of one batch of rows, `columns`
finds what the model reads in it; `pipeline` keeps the cores at it; `files` knows which files, and `parts` what is done
when a run was killed. Only here is pyarrow imported, and only when it is asked for: the serving image has none.
"""
