"""The forms of an answer: JSON, and records of numbers."""
