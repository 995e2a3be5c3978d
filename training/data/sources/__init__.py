"""Readers of data: one module for each form of file."""
