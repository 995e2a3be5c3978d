"""Every number that the README and the docs state, as a command that measures it."""
