"""The connection: the fast lane, limits on clients, admission, processes, stopping."""
