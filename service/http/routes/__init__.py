"""The routes, and their description in OpenAPI. `router` holds all of them."""
