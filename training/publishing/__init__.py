"""Turns fitted weights into one published file: graph, manifest, proof and release."""
