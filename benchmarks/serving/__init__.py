"""The speed of the service against a bare server and against alternative servers."""
