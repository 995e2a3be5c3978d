"""The way in: from what a client sent to the graph's input. One reader for each kind of input.

`reader` says what a reader is and finds the one that fits the loaded model. Pictures are read by `images`, `fitting`
and `pixels`, rows of numbers by `features`, `tables` and `floats`; `bodies` and `npy` are of both. Nothing here knows
HTTP.
"""
