"""All exercises, in the chapter's order."""

from training.exercises import softmax_numerics
from training.exercises.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        name="softmax-numerics",
        question="What happens when exp overflows or underflows in the softmax, and what is the remedy?",
        measure=softmax_numerics.measure,
    ),
)
