"""The routes, and their description in OpenAPI."""
