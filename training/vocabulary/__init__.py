"""Softmax regression over a large vocabulary: the text, the loss, the fit, and what it has to beat."""
