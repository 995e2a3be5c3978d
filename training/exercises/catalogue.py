"""All exercises, in the chapter's order."""

from training.exercises import most_likely_label, softmax_numerics
from training.exercises.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        name="softmax-numerics",
        question="What happens when exp overflows or underflows in the softmax, and what is the remedy?",
        measure=softmax_numerics.measure,
    ),
    Exercise(
        name="most-likely-label",
        question="Is it always good to return the most likely label? Would you do this for medical diagnosis?",
        measure=most_likely_label.measure,
    ),
)
