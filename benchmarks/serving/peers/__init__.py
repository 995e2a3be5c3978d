"""The servers that one would use instead, each as its documentation has it: a short adapter and its pinned packages.

Each runs in an environment of its own, listens where `DEMUR_PORT` says and serves the model `DEMUR_MODEL_PATH`.
"""
