"""True labels that come after the predictions, held against the certificates."""
