"""The wire: what requests and responses look like, one module for each group of routes."""
