"""The pages in a browser: / to try the models, and /docs."""
