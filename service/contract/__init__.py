"""What training and the service agree on: the manifest and its parts, the errors, files that appear whole."""
