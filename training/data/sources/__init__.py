"""Where data come from: one module for each form of file."""
