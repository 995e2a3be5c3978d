"""Metrics for Prometheus: counts of all workers, and the state of the promises."""
