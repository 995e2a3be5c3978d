"""HTTP, which only this package and the assembly in `app.py` know.

`routes` are FastAPI's routes, `middleware` stands around them, `schemas` describe their bodies, and `open_inference`
does the work of the Open Inference Protocol. `server` is uvicorn in one process or several, with the fast lane for
small predictions. `access` admits requests by key and host name. `web` serves the pages for a browser. The modules
beside these folders serve all of them: how a request is read, admitted, drained and refused.
"""
