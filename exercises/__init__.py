"""The chapter's exercises: each measures, and leaves a page with its numbers and pictures."""
