"""Text as tokens, and the task of predicting the next token."""
