"""HTTP: all of it, and nowhere else but in the assembly, `app.py`.

`routes` are FastAPI's, `fast_lane` is uvicorn's protocol for small predictions, and both read a request by
`predict_request`, `request_body` and `request_id`. `v2` is the Open Inference Protocol, and `compression` its bodies'.
`asked_model` is which model a path means, `problems` says what is wrong with a request, `openapi` describes all of it;
`processes` is uvicorn itself, in one process or several.
"""
