"""All exercises, in the chapter's order."""

from training.exercises import vocabulary
from training.exercises.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = (
    Exercise("vocabulary", "What breaks when the classes are the words of a vocabulary?", vocabulary.measure),
)
