"""Every number that the documents state, as a command that measures it."""
