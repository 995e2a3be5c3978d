"""Benchmarks of the fit against its alternatives, one module for each claim."""
