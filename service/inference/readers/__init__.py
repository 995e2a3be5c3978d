"""From what a client sent to the graph's input: one reader for each kind of input."""
