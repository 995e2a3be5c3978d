"""Which models are served: loading, the models of now, and the reload of a changed file."""
