"""The forms of an answer: JSON, and binary records."""
