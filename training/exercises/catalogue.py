"""All exercises, in the chapter's order."""

from training.exercises import cross_entropy, most_likely_label, softmax_numerics
from training.exercises.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        name="softmax-numerics",
        question="What happens when exp overflows or underflows in the softmax, and what is the remedy?",
        measure=softmax_numerics.measure,
    ),
    Exercise(
        name="cross-entropy",
        question="What does the cross-entropy by its definition, sum y log y-hat, cost, and what about log 0?",
        measure=cross_entropy.measure,
    ),
    Exercise(
        name="most-likely-label",
        question="Is it always good to return the most likely label? Would you do this for medical diagnosis?",
        measure=most_likely_label.measure,
    ),
)
