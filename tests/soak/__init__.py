"""Soak tests: `python -m tests.soak steady`, and `chaos`, which is `make soak`.

`questions` are the requests of good clients to `models`, and `answers` the expected answers. `load` sends the requests
over a `connection`, and `tally` counts the results. `steady` sends one service a million requests and watches its
memory. `chaos` sends requests to two services behind nginx, while `swaps` replace models, `restarts` restart and kill
services, and `bad_clients` send bad requests and hold connections.
"""
