"""All exercises, in the chapter's order."""

from training.exercises import batch_size, learning_rate
from training.exercises.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = (
    Exercise("learning-rate", "How does the validation loss change with the learning rate?", learning_rate.measure),
    Exercise("batch-size", "How do training and validation loss change with the minibatch's size?", batch_size.measure),
)
