"""HTTP: all of it, and nowhere else but in the assembly, `app.py`.

`routes` are FastAPI's, `fast_lane` is uvicorn's protocol for small predictions, and both read a request by
`predict_request`, `request_body` and `request_id`. `problems` says what is wrong with one, `openapi` describes all,
`processes` is uvicorn itself, in one process or several.
"""
