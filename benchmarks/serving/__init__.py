"""How fast the service is, beside the least that a server can do and beside the servers that one would use instead."""
