"""Errors that end a training job without publishing. Each text is one line for the user."""

from service.contract.errors import DemurError


class TrainingError(DemurError):
    """Base class: the job failed, and nothing was published."""


class DataError(TrainingError):
    """The data are missing or unusable; the text names the file, the rule and the way out."""


class DivergedError(TrainingError):
    """The loss is not a number, or so large that no temperature corrects it."""


class WorkersError(TrainingError):
    """The processes of a distributed fit disagree, or one of them was lost."""


class CheckpointError(TrainingError):
    """A checkpoint is damaged, belongs to another fit, or cannot be written."""


class ProofError(TrainingError):
    """The exported file does not compute what the trained model computes."""


class GateError(TrainingError):
    """The model is not good enough to be published."""
