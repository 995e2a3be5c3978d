"""ASGI middleware around every route: request ids and exchanges, and the limits of a request."""
