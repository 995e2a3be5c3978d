"""Publishes a next-token model: its data, the splits that certify it, and its options."""

import math
from pathlib import Path

import numpy as np

from service.contract.inputs import TokensInput
from service.contract.manifest import SplitName
from service.contract.training import Training
from training.certification.settings import AbstentionSettings
from training.data.dataset import Labelled, LabelledData
from training.data.encoders import TokenEncoder
from training.data.splits import Splits
from training.data.text.task import CONTEXT, Places, Task
from training.errors import DataError
from training.fitting.next_token import FIRST_MOMENT, NextToken, NextTokenSettings
from training.publishing.release import FittedModel, Release, ReleaseOptions, release

SIZES: dict[SplitName, int] = {"tune": 2000, "calibration": 10_000, "report": 4000}
_MAX_SCORES = 2**28  # of the calibration split: a probability for each place and token, 1 GB in float32

# Targets for a model whose likeliest token is right at every third place.
ABSTENTION = AbstentionSettings(
    selective_risk=(0.05, 0.1, 0.2, 0.3), default_risk=0.1, reject_cost=(0.2, 0.5), set_coverage=(0.8, 0.5, 0.9)
)


def publish_next_token(model: NextToken, task: Task, settings: NextTokenSettings, options: ReleaseOptions) -> Release:
    """Certify, prove and publish the model. Raises TrainingError, and then nothing was published."""
    kind = TokensInput(context=model.context, vocabulary=list(model.tokens), unknown=0)
    encoder = TokenEncoder(kind, model.embeddings.numpy())
    training = _training(settings, len(task.train))
    fitted = FittedModel(encoder, model.regression, training)
    return release(fitted, data(task), splits(task, settings.seed), options)


def release_options(out: Path) -> ReleaseOptions:
    """Those of a next-token model."""
    return ReleaseOptions(out, ABSTENTION)


def data(task: Task) -> LabelledData:
    """The text as data whose classes are its tokens."""
    tokens = task.vocabulary.tokens
    kind = TokensInput(context=CONTEXT, vocabulary=list(tokens), unknown=0)
    return LabelledData(task.corpus.name, kind, tokens, task.corpus.fingerprint())


def splits(task: Task, seed: int) -> Splits:
    """All places of `train`, and a sample of places from the separate files of each other split. Raises DataError.

    The samples are drawn with replacement. So the draws are independent, and the promise about further draws from these
    files is exact, however much the tokens of one file depend on one another.
    """
    return Splits(
        train=_all(task, task.train, seed),
        tune=_sample(task, "tune", task.tune, seed),
        calibration=_sample(task, "calibration", task.calibration, seed),
        report=_sample(task, "report", task.report, seed),
        report_is_held_out=True,
    )


def _all(task: Task, places: Places, seed: int) -> Labelled:
    _check("train", places)
    order = np.random.default_rng([seed, 0]).permutation(len(places))
    source = f"the {len(places):,} places of {places.files} files of {task.corpus.description}"
    return _labelled(source, places).take(order)


def _sample(task: Task, name: SplitName, places: Places, seed: int) -> Labelled:
    _check(name, places)
    count = min(size(name, len(task.vocabulary)), len(places))
    drawn = np.random.default_rng([seed, 1 + list(SIZES).index(name)]).integers(len(places), size=count)
    source = (
        f"{count:,} places drawn at random, each independently, from the {len(places):,} of {places.files} files of "
        f"{task.corpus.description} that no other split has: the promise is exact for places of these files, and for "
        "other files as far as they are like these"
    )
    return _labelled(source, places).take(drawn)


def size(name: SplitName, vocabulary: int) -> int:
    """The number of places in a split's sample; fewer where scores over a large vocabulary would fill the memory.

    >>> [size("calibration", vocabulary) for vocabulary in (20_000, 200_000)]
    [10000, 1342]
    """
    max_places = _MAX_SCORES // vocabulary
    return min(SIZES[name], max(1, max_places * SIZES[name] // SIZES["calibration"]))


def _check(name: SplitName, places: Places) -> None:
    if not len(places):
        raise DataError(f"the files of {name} hold no place with {CONTEXT} tokens before it")


def _labelled(source: str, places: Places) -> Labelled:
    return Labelled(source, places.contexts.numpy(), places.following.numpy())


def _training(settings: NextTokenSettings, examples: int) -> Training:
    epochs = max(1, math.ceil(settings.steps / math.ceil(examples / settings.batch_size)))
    return Training(
        recipe="next-token",
        optimizer="adam",
        epochs=epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        momentum=FIRST_MOMENT,
        weight_decay=0,
        schedule="cosine",
        clip_norm=None,
        keep="last",
        seed=settings.seed,
        device="cpu",
        precision="float32",
        processes=1,
        best_epoch=epochs,
    )
