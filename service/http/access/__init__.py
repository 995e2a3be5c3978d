"""Who gets in: API keys and host names."""
