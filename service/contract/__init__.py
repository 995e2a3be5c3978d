"""What training and the service share: the manifest and its parts, errors, and atomic writing of files."""
