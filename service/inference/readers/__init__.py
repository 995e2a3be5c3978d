"""Readers: from what a client sends to the graph's input, one reader for each kind of input."""
