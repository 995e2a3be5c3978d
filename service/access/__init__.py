"""Who gets in: API keys, and the names that the service may be asked by. No HTTP."""
