"""A service under everything at once: `python -m tests.soak steady`, and `chaos`, which is `make soak`.

`questions` is what good clients ask, of `models`; `answers` knows what is right; `connection` asks; `tally` counts.
`steady` asks one service a million times and watches its memory. `chaos` asks two services behind nginx, while
`disturbances` swap models, restart and kill services, send bad requests and hold connections.
"""
