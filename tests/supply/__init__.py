"""The contents of the serving image: its lock, its bill of materials and its known vulnerabilities."""
