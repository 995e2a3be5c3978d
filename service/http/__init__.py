"""HTTP: all of it, and nowhere else but in the assembly, `app.py`.

`routes` are FastAPI's, `fast_lane` is uvicorn's protocol for small predictions, and both read a request by
`predict_request`, `request_body` and `request_id`. `v1` and `v2` are KServe's first protocol and the Open Inference
Protocol, and `compression` their bodies'. `asked_model` is which model a path means, `exchanges` keeps account of every
request, `problems` says what is wrong with one, `openapi` describes all of it. `pages` are those for a browser, of the
files that `assets` sends; `processes` is uvicorn itself, in one process or several.
"""
