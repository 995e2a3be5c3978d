"""What a person reads of a model: progress and tables on the terminal, files of numbers, pictures, one HTML page.

Nothing is measured here; `training/evaluation` did that. Each picture has its module, `pictures` puts them together,
`page` sets them with the tables, `files` writes it all.
"""
