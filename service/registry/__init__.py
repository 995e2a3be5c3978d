"""The served models: loading, the registry of current models, and the reload of changed files."""
