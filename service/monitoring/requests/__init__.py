"""Request observers: the log and traces."""
