"""The commands of the training half: their options and their output."""
