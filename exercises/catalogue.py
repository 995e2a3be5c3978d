"""All exercises, in the chapter's order."""

from exercises import batch_size, cross_entropy, learning_rate, most_likely_label, softmax_numerics, vocabulary
from exercises.exercise import Exercise

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
    Exercise("vocabulary", "Which problems does a large vocabulary make for predicting words?", vocabulary.measure),
    Exercise("learning-rate", "How does the validation loss change with the learning rate?", learning_rate.measure),
    Exercise("batch-size", "How do training and validation loss change with the minibatch's size?", batch_size.measure),
)
