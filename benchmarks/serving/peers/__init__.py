"""Alternative servers, each set up as its documentation advises: a short adapter and its pinned packages.

Each runs in its own environment, listens on `DEMUR_PORT` and serves the model at `DEMUR_MODEL_PATH`.
"""
