"""Access control: API keys with scopes, and trusted host names."""
