"""Benchmarks of the fit beside its alternatives, one module for each claim."""
