"""All exercises, in the chapter's order."""

from training.exercises.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = ()
