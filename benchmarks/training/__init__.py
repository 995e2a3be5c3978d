"""What the fit costs, beside what a user would run instead; a module a claim."""
