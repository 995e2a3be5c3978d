"""Demur's model file on Triton Inference Server."""
